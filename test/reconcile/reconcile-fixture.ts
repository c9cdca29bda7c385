// Reten's stand-in with activities that are some minutes old, and the service that compares with its list over HTTP.
import type { Test } from 'tap'
import { buildReconcileService } from '../../src/commands/build-reconcile.ts'
import type { Connection } from '../../src/connection.ts'
import { createHttpClient } from '../../src/http-client.ts'
import { createMetrics } from '../../src/metrics.ts'
import type { ReconcileService } from '../../src/reconcile/reconcile-service.ts'
import { createRetenClients } from '../../src/report/reten-clients.ts'
import { createSandboxClock } from '../../src/sandbox/clock.ts'
import { startRetenSandbox } from '../../src/sandbox/start-reten-sandbox.ts'
import type { RetenSandbox, RetenSandboxOptions } from '../../src/sandbox/start-reten-sandbox.ts'
import type { ConnectionSettings } from '../../src/schema-types.ts'
import type { Db } from '../../src/store/database.ts'
import { listReconciliations } from '../../src/store/list-reconciliations.ts'
import type { Reconciliation } from '../../src/store/list-reconciliations.ts'
import { requestReconciliation } from '../../src/store/request-reconciliation.ts'
import { MINUTE_MS, systemClock } from '../../src/time.ts'
import { buildConnection, createListeningLogger } from '../deliver/delivery-fixture.ts'
import type { LogLine } from '../deliver/delivery-fixture.ts'
import { unusedOrigin } from '../support/local-server.ts'

export interface ReconcileBench {
  readonly reten: RetenSandbox
  readonly service: ReconcileService
  readonly metrics: ReturnType<typeof createMetrics>
  readonly lines: LogLine[]
  /** What was nudged, in order. */
  readonly nudges: string[]
  /** Asks for a comparison of `acme`, runs it, and answers what it came to. */
  compare(connection?: string): Promise<Reconciliation>
}

export interface BenchOptions {
  readonly settings?: ConnectionSettings
  readonly reten?: Partial<RetenSandboxOptions>
  /** How old what the stand-in creates now is; default 20. */
  readonly ageMinutes?: number
  readonly isEmbedded?: boolean
  readonly change?: Partial<Connection>
  readonly others?: (connection: Connection) => readonly Connection[]
}

/** Opens both; closed when `t` ends. Dispatches go nowhere. */
export async function openReconcileBench(t: Test, db: Db, options: BenchOptions = {}): Promise<ReconcileBench> {
  const startAtMs = Date.now() - (options.ageMinutes ?? 20) * MINUTE_MS
  const clock = createSandboxClock({ speed: 0, startAtMs })
  const reten = await startRetenSandbox({ port: 0, seed: t.name, clock, ...options.reten })
  t.teardown(() => reten.close())
  reten.setDispatchConfig({ baseUrl: await unusedOrigin(), apiKey: 'nobody-listens' })
  const http = createHttpClient()
  t.teardown(() => http.close())
  const connection: Connection = {
    ...buildConnection(options.settings),
    name: 'acme',
    retenBaseUrl: reten.url,
    retenApiKey: reten.ready.apiKey,
    createdAt: new Date(startAtMs - MINUTE_MS),
    ...options.change,
  }
  const connections = [connection, ...(options.others?.(connection) ?? [])]
  const { logger, lines } = createListeningLogger()
  const metrics = createMetrics({ withNodeMetrics: false })
  const nudges: string[] = []
  const service = buildReconcileService({
    config: { databaseUrl: options.isEmbedded === true ? undefined : 'postgres://elsewhere' },
    db,
    catalog: { list: () => connections },
    clock: systemClock,
    random: () => 0,
    logger,
    metrics,
    worker: 'worker-a',
    retenClients: createRetenClients({ httpOf: () => http, clock: systemClock }),
    nudge: (kind) => nudges.push(kind),
    retryDelaysMs: [],
  })
  t.teardown(() => service.stop())
  const compare: ReconcileBench['compare'] = async (name = connection.name) => {
    const author = { actor: 'otto' }
    const { id } = await requestReconciliation(db, { connection: name, reason: 'a test', author })
    await service.runOnce()
    const row = (await listReconciliations(db, { connection: name, limit: 10 })).find((one) => one.id === id)
    if (row?.finished_at === null || row === undefined) throw new Error(`${name} was not compared`)
    return row
  }
  return { reten, service, metrics, lines, nudges, compare }
}
