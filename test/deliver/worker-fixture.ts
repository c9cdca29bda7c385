// The delivery worker as a service has it, over the connections of a real database and against servers that the test writes.
import { sql } from 'kysely'
import type { Test } from 'tap'
import { buildGuards } from '../../src/commands/build-guards.ts'
import { createAdapterPool } from '../../src/deliver/adapter-pool.ts'
import { askProvider } from '../../src/deliver/ask-provider.ts'
import { createDeliveryWorker } from '../../src/deliver/delivery-worker.ts'
import { createHttpClient } from '../../src/http-client.ts'
import type { HttpClient } from '../../src/http-client.ts'
import type { JobLoop } from '../../src/job-loop.ts'
import { createMetrics } from '../../src/metrics.ts'
import { sealSecrets } from '../../src/secret-box.ts'
import { createConnectionCatalog } from '../../src/store/connection-catalog.ts'
import type { ConnectionCatalog } from '../../src/store/connection-catalog.ts'
import type { Db } from '../../src/store/database.ts'
import { createLeaseKeeper } from '../../src/store/lease-keeper.ts'
import { probeRefusedKeys } from '../../src/store/probe-refused-keys.ts'
import { systemClock } from '../../src/time.ts'
import { CONNECTION } from '../support/ledger.ts'
import { createListeningLogger } from './delivery-fixture.ts'
import type { LogLine } from './delivery-fixture.ts'

const SECRETS_KEYS = [{ id: 'k1', key: Buffer.alloc(32, 7) }]

export interface WorkerBench {
  readonly worker: JobLoop
  readonly catalog: ConnectionCatalog
  /** Log lines so far, oldest first. */
  readonly lines: LogLine[]
  /** Tries the refused keys whose time has come; answers how many go on. */
  probe(): Promise<number>
}

export interface ProviderSetting {
  readonly provider: 'webhook' | 'yom' | (string & {})
  readonly providerSettings: Readonly<Record<string, unknown>>
  readonly secrets?: Readonly<Record<string, string>>
  readonly settings?: Readonly<Record<string, unknown>>
}

/** Makes the connection `acme` deliver to this provider. */
export async function setProvider(db: Db, setting: ProviderSetting): Promise<void> {
  const sealed = sealSecrets(SECRETS_KEYS, CONNECTION, { retenApiKey: undefined, provider: setting.secrets ?? {} })
  await db
    .updateTable('connections')
    .set({
      provider: setting.provider,
      provider_settings: JSON.stringify(setting.providerSettings),
      settings: JSON.stringify(setting.settings ?? {}),
      secrets: sealed.bytes,
      secrets_key_id: sealed.keyId,
      updated_at: sql<Date>`now()`,
    })
    .where('name', '=', CONNECTION)
    .execute()
}

/** The worker, and the probes beside it, over the connections as they are now. */
export async function createWorkerBench(t: Test, db: Db, random = () => 0.5): Promise<WorkerBench> {
  const http = createHttpClient()
  t.teardown(() => http.close())
  const { logger, lines } = createListeningLogger()
  const config = { environmentConnection: undefined, secretsKeys: SECRETS_KEYS }
  const catalog = createConnectionCatalog({ db, config, logger })
  await catalog.refresh()
  const deps = { db, catalog, logger, clock: systemClock, random, worker: 'worker-a' }
  const { deliver: guards } = buildGuards(deps)
  const createHttp = (name: string): HttpClient => guards.holdOffs.watch(http, name)
  const adapters = createAdapterPool({ ...deps, createHttp, resultTypes: async () => [], attributes: async () => [] })
  t.teardown(() => adapters.close())
  const worker = createDeliveryWorker({
    ...deps,
    adapters,
    guards,
    metrics: createMetrics({ withNodeMetrics: false }),
    leases: createLeaseKeeper({ db, worker: deps.worker, logger }),
    onCancelDue: () => {},
    onReportDue: () => {},
    onConnectionChanged: () => void catalog.refresh(),
  })
  const probe = (): Promise<number> =>
    probeRefusedKeys({
      ...deps,
      side: 'deliveries',
      ask: (connection, signal) => askProvider(adapters, connection, signal),
      onResumed: () => {},
    })
  return { worker, catalog, lines, probe }
}

/** As if the time of every probe had come. */
export async function makeProbesDue(db: Db): Promise<void> {
  await sql`update connections set probe_at = probe_at - interval '1 day',
    reporting_probe_at = reporting_probe_at - interval '1 day'`.execute(db)
}
