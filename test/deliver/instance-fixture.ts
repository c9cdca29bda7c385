// A worker as the service builds it, with everything of its own but the database: several of them are several instances.
import type { Test } from 'tap'
import { createBreakers } from '../../src/breakers.ts'
import { createAdapterPool } from '../../src/deliver/adapter-pool.ts'
import { createDeliveryWorker } from '../../src/deliver/delivery-worker.ts'
import { isProviderFault } from '../../src/deliver/guarded-adapter.ts'
import type { Outcome } from '../../src/dispatch/outcome.ts'
import type { Guards } from '../../src/guards.ts'
import { createHoldOffs } from '../../src/hold-offs.ts'
import { createHttpClient } from '../../src/http-client.ts'
import type { JobLoop } from '../../src/job-loop.ts'
import { createMetrics } from '../../src/metrics.ts'
import { createConnectionCatalog } from '../../src/store/connection-catalog.ts'
import { holdOff } from '../../src/store/connection-budgets.ts'
import type { Db } from '../../src/store/database.ts'
import { createLeaseKeeper } from '../../src/store/lease-keeper.ts'
import { systemClock } from '../../src/time.ts'
import { addConnection } from '../support/ledger.ts'
import { createListeningLogger } from './delivery-fixture.ts'
import type { LogLine } from './delivery-fixture.ts'

export interface Instance {
  readonly worker: JobLoop
  readonly guards: Guards<Outcome>
  readonly lines: readonly LogLine[]
}

export interface InstanceOptions {
  /** How long a breaker stays open; default the service's own. */
  readonly openForMs?: readonly number[]
}

/** A connection that delivers by webhook to `origin`. */
export async function addWebhook(
  db: Db,
  name: string,
  origin: string,
  settings: object = {},
  providerSettings: object = {},
): Promise<void> {
  await addConnection(db, name, {
    provider: 'webhook',
    providerSettings: { url: `${origin}/${name}`, ...providerSettings },
    settings: { ...settings },
  })
}

let instances = 0

/** One instance, over the connections as they are now; what it opened is closed with the test. */
export async function createInstance(t: Test, db: Db, options: InstanceOptions = {}): Promise<Instance> {
  const { logger, lines } = createListeningLogger()
  const worker = `worker-${(instances += 1)}`
  const catalog = createConnectionCatalog({ db, config: { environmentConnection: undefined, secretsKeys: [] }, logger })
  await catalog.refresh()
  const guards: Guards<Outcome> = {
    breakers: createBreakers({ kind: 'deliver', isFault: isProviderFault, logger, random: () => 0, ...options }),
    holdOffs: createHoldOffs({
      kind: 'deliver',
      clock: systemClock,
      logger,
      share: (connection, forMs) => holdOff(db, { connection, kind: 'deliver', forMs }),
    }),
  }
  const adapters = createAdapterPool({
    createHttp: (connection) => guards.holdOffs.watch(createHttpClient(), connection),
    clock: systemClock,
    random: Math.random,
    logger,
    resultTypes: async () => [],
    attributes: async () => [],
  })
  t.teardown(() => adapters.close())
  const leases = createLeaseKeeper({ db, worker, logger })
  const loop = createDeliveryWorker({
    db,
    catalog,
    adapters,
    guards,
    leases,
    onCancelDue: () => {},
    clock: systemClock,
    random: Math.random,
    logger,
    metrics: createMetrics({ withNodeMetrics: false }),
    worker,
    onReportDue: () => {},
    onConnectionChanged: () => {},
  })
  return { worker: loop, guards, lines }
}

/** Starts it; it is stopped with the test. */
export function start(t: Test, { worker }: Instance): void {
  void worker.start()
  t.teardown(() => worker.stop())
}
