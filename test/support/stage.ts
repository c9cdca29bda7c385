// Both stand-ins, and the settings a service needs to stand between them.
import { request } from 'undici'
import { startRetenSandbox } from '../../src/sandbox/start-reten-sandbox.ts'
import type { RetenSandbox, RetenSandboxOptions } from '../../src/sandbox/start-reten-sandbox.ts'
import { startYomSandbox } from '../../src/sandbox/start-yom-sandbox.ts'
import type { YomSandbox, YomSandboxOptions } from '../../src/sandbox/start-yom-sandbox.ts'
import type { Scope } from './scope.ts'

const DISPATCH_KEY = 'dispatch-key-of-this-test'
const WEBHOOK_TOKEN = 'webhook-token-of-this-test'
const ADMIN_TOKEN = 'admin-token-of-this-test-0123456789'

export interface Stage {
  readonly reten: RetenSandbox
  readonly yom: YomSandbox
  /** Settings of a service that receives from this Reten, delivers to this YOM and reports back. */
  readonly settings: Readonly<Record<string, string>>
  /** Tells both where the service is. */
  connect(publicUrl: string): void
}

export interface StageOptions {
  readonly databaseUrl: string
  readonly reten?: Partial<RetenSandboxOptions>
  readonly yom?: Partial<YomSandboxOptions>
  /** Settings of the connection. */
  readonly connection?: Readonly<Record<string, unknown>>
}

/** Starts both; they end with `t`. */
export async function openStage(t: Scope, options: StageOptions): Promise<Stage> {
  const reten = await startRetenSandbox({ port: 0, slowMs: 20, ...options.reten })
  t.teardown(() => reten.close())
  const yom = await startYomSandbox({ port: 0, slowMs: 20, ...options.yom })
  t.teardown(() => yom.close())
  return {
    reten,
    yom,
    settings: {
      DATABASE_URL: options.databaseUrl,
      HOST: '127.0.0.1',
      PORT: '0',
      OPS_PORT: '0',
      LOG_LEVEL: 'debug',
      RATE_LIMIT_PER_MINUTE: '0',
      ADMIN_TOKEN,
      DISPATCH_API_KEY: DISPATCH_KEY,
      RETEN_BASE_URL: reten.url,
      RETEN_API_KEY: reten.ready.apiKey,
      YOM_BASE_URL: yom.url,
      YOM_API_KEY: yom.credentials.apiKey,
      WEBHOOK_TOKEN,
      CONNECTION_SETTINGS: JSON.stringify({
        max_in_flight: 8,
        retry_delays: [0.2, 0.5, 1, 1, 2, 2],
        ...options.connection,
      }),
    },
    connect: (publicUrl) => {
      reten.setDispatchConfig({ baseUrl: publicUrl, apiKey: DISPATCH_KEY })
      yom.setWebhook({ url: `${publicUrl}/webhooks/yom`, token: WEBHOOK_TOKEN })
    },
  }
}

/** What the admin API says under `path`. */
export async function askOperators(opsUrl: string, path: string): Promise<Record<string, unknown>> {
  const { statusCode, body } = await request(opsUrl + path, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } })
  if (statusCode !== 200) throw new Error(`${path}: ${statusCode} ${await body.text()}`)
  // Our own admin API: a JSON object; what it holds is asserted by the tests.
  return (await body.json()) as Record<string, unknown>
}

/** Posts `body` to the admin API; answers what it says. */
export async function tellOperators(opsUrl: string, path: string, body: object): Promise<Record<string, unknown>> {
  const answer = await request(opsUrl + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (answer.statusCode >= 300) throw new Error(`${path}: ${answer.statusCode} ${await answer.body.text()}`)
  // As above.
  return (await answer.body.json()) as Record<string, unknown>
}
