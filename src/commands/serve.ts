// npm start: the service. Ends by SIGTERM or SIGINT with what was admitted finished; a second signal ends it at once. A fault
// that nobody caught ends it in the same order, with exit code 1: what it would do from then on is unknown.
import { Command } from 'commander'
import { loadConfig } from '../config.ts'
import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'
import { createLogger, whenWritten } from '../logger.ts'
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
  const ending = watchSignals(logger)
  const service = await start(config, logger, ending.signal)
  if (service !== undefined && config.environmentConnection === undefined) {
    logger.warn(
      { event: 'service.no_environment_connection' },
      'DISPATCH_API_KEY is not set: add a connection with "npm run connections -- add" before Reten can dispatch',
    )
  }
  void ending.told.then(async ({ signal, exitCode }) => {
    await service?.stop()
    logger.info({ event: 'service.stopped', signal, exitCode }, 'stopped')
    // Nothing is left to do; a stray handle must not keep the process from ending.
    await whenWritten(logger)
    process.exit(exitCode)
  })
})

/** The running service, or nothing where it was told to stop before it had started. */
async function start(config: Config, logger: Logger, signal: AbortSignal): Promise<RunningService | undefined> {
  try {
    return await startService({ config, logger, signal })
  } catch (error) {
    if (error instanceof AppError && error.code === 'RCV_STOPPING') return undefined
    throw error
  }
}

interface End {
  /** Undefined where a fault of ours ends it. */
  readonly signal: NodeJS.Signals | undefined
  readonly exitCode: number
}

interface Ending {
  readonly signal: AbortSignal
  readonly told: Promise<End>
}

/** From before the start: as the first process of a container a signal without a listener would not even end us. */
function watchSignals(logger: Logger): Ending {
  const stopping = new AbortController()
  const { promise: told, resolve } = Promise.withResolvers<End>()
  const end = (how: End): void => {
    setTimeout(() => {
      logger.error({ event: 'service.stopped', ...how }, `not done after ${EXIT_TIMEOUT_MS} ms: ending all the same`)
      process.exit(1)
    }, EXIT_TIMEOUT_MS).unref()
    stopping.abort()
    resolve(how)
  }
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping.signal.aborted) {
      logger.warn({ event: 'service.stopped', signal }, 'a second signal: ending at once')
      process.exit(1)
    }
    logger.info({ event: 'service.stopping', signal }, 'finishing what was admitted')
    end({ signal, exitCode: 0 })
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  // Rejections that nobody handles come here as well.
  process.on('uncaughtException', (error, origin) => {
    logger.fatal({ event: 'service.crashed', origin, err: error }, 'a fault nobody caught: ending in order')
    // Another one while it ends changes nothing: what can still be finished and given back is.
    if (!stopping.signal.aborted) end({ signal: undefined, exitCode: 1 })
  })
  return { signal: stopping.signal, told }
}
