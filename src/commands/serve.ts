// npm start: the service. Ends by SIGTERM or SIGINT with what was admitted finished; a second signal ends it at once.
import { Command } from 'commander'
import { loadConfig } from '../config.ts'
import { createLogger } from '../logger.ts'
import type { Logger } from '../logger.ts'
import { runCommand } from './run-command.ts'
import { startService } from './start-service.ts'
import type { RunningService } from './start-service.ts'

// Below fly.toml's kill_timeout: an end of our own is cleaner than the platform's.
const EXIT_TIMEOUT_MS = 35_000

await runCommand(async (variables) => {
  new Command('npm start')
    .description('Runs the service. Settings come from the environment and .env; README.md lists them.')
    .exitOverride()
    .parse()
  const config = loadConfig(variables)
  const logger = createLogger({ level: config.logLevel, isPretty: process.stdout.isTTY })
  const service = await startService({ config, logger })
  if (config.environmentConnection === undefined) {
    logger.warn(
      { event: 'service.no_environment_connection' },
      'DISPATCH_API_KEY is not set: add a connection with "npm run connections -- add" before Reten can dispatch',
    )
  }
  stopOnSignal(service, logger)
})

function stopOnSignal(service: RunningService, logger: Logger): void {
  let isStopping = false
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isStopping) {
      logger.warn({ event: 'service.stopped', signal }, 'a second signal: ending at once')
      process.exit(1)
    }
    isStopping = true
    logger.info({ event: 'service.stopping', signal }, 'finishing what was admitted')
    const limit = setTimeout(() => {
      logger.error({ event: 'service.stopped', signal }, `not done after ${EXIT_TIMEOUT_MS} ms: ending all the same`)
      process.exit(1)
    }, EXIT_TIMEOUT_MS)
    void service.stop().then(() => {
      clearTimeout(limit)
      logger.info({ event: 'service.stopped', signal }, 'stopped')
      // Nothing is left to do; a stray handle must not keep the process from ending.
      logger.flush(() => process.exit(0))
    })
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
}
