// npm run sandbox: the stand-ins for Reten and YOM alone, to try an integration against.
import { Command, InvalidArgumentError, Option } from 'commander'
import { createLogger } from '../logger.ts'
import { createSandboxClock } from '../sandbox/clock.ts'
import { startRetenSandbox } from '../sandbox/start-reten-sandbox.ts'
import { startYomSandbox } from '../sandbox/start-yom-sandbox.ts'
import { listenFault } from './listen-fault.ts'
import { runCommand } from './run-command.ts'

interface SandboxOptions {
  readonly target: string
  readonly key: string
  readonly webhookToken: string
  readonly retenPort: number
  readonly yomPort: number
  readonly faults: 'none' | 'some' | 'storm'
  readonly seed: number
}

// Keys that anybody may know: they open stand-ins on this machine and nothing else. Fixed, so that commands in a README work.
const DISPATCH_KEY = 'sandbox-dispatch-key-0001'
const WEBHOOK_TOKEN = 'sandbox-webhook-token-0001'
const RETEN_KEY = `rtn_sk_${'0123456789abcdef'.repeat(4).slice(0, 56)}`
const ADMIN_TOKEN = 'sandbox-admin-token-0001-0123456789'
const YOM_KEY = 'sandbox-yom-key-0001'

await runCommand(async () => {
  const options = readOptions()
  const logger = createLogger({ level: 'warn', isPretty: process.stdout.isTTY })
  const clock = createSandboxClock()
  const faults = { profile: options.faults, seed: options.seed }
  const reten = await startRetenSandbox({
    port: options.retenPort,
    clock,
    faults,
    logger,
    apiKey: RETEN_KEY,
    isDispatching: true,
  }).catch(explain)
  const webhook = { url: `${options.target}/webhooks/yom`, token: options.webhookToken }
  const yom = await startYomSandbox({ port: options.yomPort, clock, faults, logger, apiKey: YOM_KEY, webhook }).catch(
    explain,
  )
  reten.setDispatchConfig({ baseUrl: options.target, apiKey: options.key })
  process.stdout.write(`
Reten's stand-in  ${reten.url}     dispatches every 30 s to ${options.target}/activities
YOM's stand-in    ${yom.url}     ours, not YOM's API; calls back ${webhook.url}

Start the service against them:

  PROVIDER=yom DISPATCH_API_KEY=${options.key} RETEN_BASE_URL=${reten.url} RETEN_API_KEY=${RETEN_KEY} \\
  YOM_BASE_URL=${yom.url} YOM_API_KEY=${YOM_KEY} WEBHOOK_TOKEN=${options.webhookToken} \\
  ADMIN_TOKEN=${ADMIN_TOKEN} ${portOf(options.target)}npm start

Then let Reten dispatch, and look at what came back:

  curl -s -X POST ${reten.url}/sandbox/activities -H 'content-type: application/json' -d '{"count": 5}'
  curl -s -X POST ${reten.url}/sandbox/dispatch
  curl -s ${reten.url}/sandbox/counts
  curl -s ${yom.url}/sandbox/counts
  curl -s http://127.0.0.1:9090/admin/dispatches -H 'authorization: Bearer ${ADMIN_TOKEN}'

Ctrl-C ends both.
`)
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
  })
  await Promise.all([reten.close(), yom.close()])
})

function readOptions(): SandboxOptions {
  const command = new Command('npm run sandbox --')
    .description('Stand-ins for Reten and YOM on this machine.')
    .option('--target <url>', 'base URL of the service, without /activities', readUrl, 'http://127.0.0.1:8080')
    .option('--key <key>', "the service's DISPATCH_API_KEY", DISPATCH_KEY)
    .option('--webhook-token <token>', "the service's WEBHOOK_TOKEN", WEBHOOK_TOKEN)
    .option('--reten-port <port>', "Reten's port; 3000 is its documented local address", readPort, 3000)
    .option('--yom-port <port>', "YOM's port", readPort, 3100)
    .addOption(
      new Option('--faults <profile>', 'what goes wrong on the way').choices(['none', 'some', 'storm']).default('none'),
    )
    .option('--seed <n>', 'repeats the same faults', readSeed, 1)
    .exitOverride()
    .parse()
  return command.opts<SandboxOptions>() // shaped by the options above
}

function explain(error: unknown): never {
  throw listenFault(error, { portSetting: '--reten-port or --yom-port' }) ?? error
}

/** The setting that makes the service listen where it is dispatched to, where that is not its usual port. */
function portOf(target: string): string {
  const { port } = new URL(target)
  return port === '' || port === '8080' ? '' : `PORT=${port} `
}

function readUrl(text: string): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text.replace(/\/+$/, '')
  throw new InvalidArgumentError('It must be an http or https address.')
}

function readPort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new InvalidArgumentError('It must be a port number.')
}

function readSeed(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}
