// What a history happens to: a service process with its database, between both stand-ins. It outlives histories, since each
// has a connection and activities of its own.
import { randomBytes } from 'node:crypto'
import { Agent, request } from 'undici'
import { createSilentLogger } from '../../../src/logger.ts'
import { startRetenSandbox } from '../../../src/sandbox/start-reten-sandbox.ts'
import type { RetenSandbox } from '../../../src/sandbox/start-reten-sandbox.ts'
import { startYomSandbox } from '../../../src/sandbox/start-yom-sandbox.ts'
import type { YomSandbox } from '../../../src/sandbox/start-yom-sandbox.ts'
import { openDatabase } from '../../../src/store/database.ts'
import type { Db } from '../../../src/store/database.ts'
import { createTestDatabase } from '../../support/database.ts'
import { createScope } from '../../support/scope.ts'
import type { Scope } from '../../support/scope.ts'
import { startServiceProcess } from '../../support/service-process.ts'
import type { Settings, StartedService } from '../../support/service-process.ts'

const ADMIN_TOKEN = 'admin-token-of-the-histories-0123456789'

/** How long a start takes is no promise: a nightly run shares its machine. */
const START_TIMEOUT_MS = 180_000

/** What the stand-ins are set to whenever a history begins or comes to rest. */
const CALM = {
  hasTasks: true,
  unknownCommerces: [],
  sendsProgress: false,
  workMinMs: 0,
  workMaxMs: 40,
  lateByMs: 300,
  webhookAttempts: 1_000,
  webhookRetryMs: 50,
}

export interface AdminAnswer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

export interface World {
  readonly db: Db
  readonly reten: RetenSandbox
  readonly yom: YomSandbox
  /** The connections that activities and results are sent over. */
  readonly sender: Agent
  /** Undefined while it is down. */
  service(): StartedService | undefined
  /** Starts it where it is down; `extra` are settings of this process alone. */
  start(extra?: Settings): Promise<void>
  /** Sends the signal and resolves when the process is gone; it stays down. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
  /** Calls the admin API; undefined where nobody answered. */
  admin(method: 'GET' | 'POST' | 'PATCH', path: string, body?: unknown): Promise<AdminAnswer | undefined>
  /** No faults, no refusals, the key that is known. */
  calm(): void
}

/** Opens a world with its service down; it ends with `scope`. `preload` is the path of a module each process loads first. */
export async function openWorld(scope: Scope, preload?: string): Promise<World> {
  const { url } = await createTestDatabase(scope)
  const handle = openDatabase({ url, poolSize: 4, logger: createSilentLogger() })
  scope.teardown(() => handle.close())
  const reten = await startRetenSandbox({ port: 0, slowMs: 20 })
  scope.teardown(() => reten.close())
  const yom = await startYomSandbox({ port: 0, slowMs: 20, switches: CALM })
  scope.teardown(() => yom.close())
  const { apiKey } = yom.credentials
  const settings = {
    DATABASE_URL: url,
    ADMIN_TOKEN,
    SECRETS_KEY: randomBytes(32).toString('base64'),
    RATE_LIMIT_PER_MINUTE: '0',
    LOG_LEVEL: 'info',
  }
  const sender = new Agent({ connections: 64, pipelining: 1 })
  scope.teardown(() => sender.destroy())
  let running: { readonly service: StartedService; readonly end: () => Promise<void> } | undefined

  const start = async (extra: Settings = {}): Promise<void> => {
    if (running !== undefined) return
    const { teardown, end } = createScope()
    const service = await startServiceProcess(
      { teardown },
      { ...settings, ...extra },
      { preload, startTimeoutMs: START_TIMEOUT_MS },
    )
    running = { service, end }
  }
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    const ending = running
    running = undefined
    ending?.service.kill(signal)
    await ending?.service.ended
    await ending?.end()
  }
  scope.teardown(() => end('SIGKILL'))
  // A run that is interrupted leaves no service behind.
  const onExit = (): void => running?.service.kill('SIGKILL')
  process.on('exit', onExit)
  scope.teardown(() => process.off('exit', onExit))

  return {
    db: handle.db,
    reten,
    yom,
    sender,
    service: () => running?.service,
    start,
    end,
    admin: async (method, path, body) => {
      if (running === undefined) return undefined
      try {
        const answer = await request(`${running.service.opsUrl}/admin${path}`, {
          method,
          headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
          body: body === undefined ? null : JSON.stringify(body),
        })
        // Our own admin API: a JSON object, or nothing; what it holds is checked where it is used.
        const text = await answer.body.text()
        return { status: answer.statusCode, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) }
      } catch {
        return undefined // the process ended meanwhile
      }
    },
    calm: () => {
      yom.faults.configure({ profile: 'none' })
      reten.faults.configure({ profile: 'none' })
      yom.setSwitches(CALM)
      yom.setApiKey(apiKey)
    },
  }
}
