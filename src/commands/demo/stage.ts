// Everything on the demo's stage: both stand-ins, the database, and the service between them.
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createSilentLogger } from '../../logger.ts'
import { startRetenSandbox } from '../../sandbox/start-reten-sandbox.ts'
import type { RetenSandbox } from '../../sandbox/start-reten-sandbox.ts'
import { startYomSandbox } from '../../sandbox/start-yom-sandbox.ts'
import type { YomSandbox } from '../../sandbox/start-yom-sandbox.ts'
import { startDemoDatabase } from './demo-database.ts'
import { freePort } from './free-port.ts'
import type { DemoOptions } from './options.ts'
import { startServiceProcess } from './service-process.ts'
import type { ServiceProcess } from './service-process.ts'

export interface Stage {
  readonly reten: RetenSandbox
  readonly yom: YomSandbox
  readonly service: ServiceProcess
  readonly publicUrl: string
  readonly opsUrl: string
  readonly dispatchKey: string
  readonly adminToken: string
  readonly logFile: string
  close(): Promise<void>
}

const DATA_DIRECTORY = fileURLToPath(new URL('../../../.data', import.meta.url))
// Enough for a person to watch the work being done, little enough not to wait for it.
const WORK_MIN_MS = 100
const WORK_MAX_MS = 1_500
/**
 * The settings the service starts with. More at once than the default of 4, which is for a YOM whose limit is unknown; and a
 * short day: as many tries as by default, within minutes.
 */
export const CONNECTION_SETTINGS = Object.freeze({
  max_in_flight: 16,
  retry_delays: [0.5, 1, 1, 2, 2, 3, 3, 5, 5, 5, 5, 5, 5, 5, 5],
})
const DISPATCH_CONCURRENCY = 16
// Of a late webhook.
const LATE_BY_MS = 8_000

/** Starts everything, each on its usual port where that is free. What was started is stopped where a later step fails. */
export async function openStage(options: DemoOptions, onRestart: () => void): Promise<Stage> {
  const logger = createSilentLogger()
  mkdirSync(DATA_DIRECTORY, { recursive: true })
  const logFile = join(DATA_DIRECTORY, `demo-service-${process.pid}.log`)
  const closers: (() => Promise<unknown>)[] = []
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer()
  }
  try {
    const database = await startDemoDatabase(logger)
    closers.push(database.stop)
    const faults = { profile: options.faults, seed: options.seed }
    const reten = await startRetenSandbox({
      port: await freePort(3000),
      faults,
      switches: {
        payloadShape: options.shape,
        dispatchConcurrency: DISPATCH_CONCURRENCY,
        dispatchRatePerSecond: options.rate ?? 0,
      },
    })
    closers.push(() => reten.close())
    const yom = await startYomSandbox({
      port: await freePort(3100),
      faults,
      switches: { idempotency: options.provider, workMinMs: WORK_MIN_MS, workMaxMs: WORK_MAX_MS, lateByMs: LATE_BY_MS },
    })
    closers.push(() => yom.close())
    const port = await freePort(8080)
    const opsPort = await freePort(9090)
    const secret = (): string => randomBytes(24).toString('base64url')
    const [dispatchKey, webhookToken, adminToken] = [secret(), secret(), secret() + secret()]
    const service = startServiceProcess({
      logFile,
      onRestart,
      environment: {
        DATABASE_URL: database.url,
        PORT: String(port),
        HOST: '127.0.0.1',
        OPS_PORT: String(opsPort),
        ADMIN_TOKEN: adminToken,
        RATE_LIMIT_PER_MINUTE: '0',
        DISPATCH_API_KEY: dispatchKey,
        RETEN_BASE_URL: reten.url,
        RETEN_API_KEY: reten.ready.apiKey,
        YOM_BASE_URL: yom.url,
        YOM_API_KEY: yom.credentials.apiKey,
        WEBHOOK_TOKEN: webhookToken,
        CONNECTION_SETTINGS: JSON.stringify(CONNECTION_SETTINGS),
        ...(options.provider === 'key' ? {} : { YOM_IDEMPOTENCY: options.provider }),
      },
    })
    closers.push(() => service.stop())
    const publicUrl = `http://127.0.0.1:${port}`
    yom.setWebhook({ url: `${publicUrl}/webhooks/yom`, token: webhookToken })
    reten.setDispatchConfig({ baseUrl: publicUrl, apiKey: dispatchKey })
    return {
      reten,
      yom,
      service,
      publicUrl,
      opsUrl: `http://127.0.0.1:${opsPort}`,
      dispatchKey,
      adminToken,
      logFile,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
