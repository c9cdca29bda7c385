// The parts every role shares, and the loops of a role that works: built here, started and stopped by start-service.ts.
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Config } from '../config.ts'
import { createAdapterPool } from '../deliver/adapter-pool.ts'
import type { AdapterPool } from '../deliver/adapter-pool.ts'
import { createCancelWorker } from '../deliver/cancel-worker.ts'
import { createDeliveryWorker } from '../deliver/delivery-worker.ts'
import { createHttpClient } from '../http-client.ts'
import type { HttpClient } from '../http-client.ts'
import type { JobLoop } from '../job-loop.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { createDatabaseSampler } from '../ops/sample-database.ts'
import { createDriftWatch } from '../ops/watch-drift.ts'
import { createOverdueWatch } from '../ops/watch-overdue.ts'
import { createPeriodic } from '../periodic.ts'
import { createReportWorker } from '../report/report-worker.ts'
import { createRetenClients } from '../report/reten-clients.ts'
import type { RetenClients } from '../report/reten-clients.ts'
import type { Service } from '../services.ts'
import { createConnectionCatalog } from '../store/connection-catalog.ts'
import type { ConnectionCatalog } from '../store/connection-catalog.ts'
import { createEventMatcher } from '../store/match-provider-events.ts'
import type { OverdueLimit } from '../store/mark-overdue.ts'
import { createListener, createNotifier } from '../store/notifications.ts'
import { ensureDayPartitions } from '../store/partitions.ts'
import { createLeaseKeeper } from '../store/lease-keeper.ts'
import { createRescueService } from '../store/rescue-service.ts'
import { JOB_KINDS } from '../store/tables.ts'
import type { JobKind } from '../store/tables.ts'
import { takeTurn } from '../store/take-turn.ts'
import { systemClock } from '../time.ts'
import { buildGuards } from './build-guards.ts'
import type { AllGuards } from './build-guards.ts'
import type { PooledDbs } from './open-pools.ts'
import { buildProbeServices } from './probe-services.ts'
import { readAttributes, readResultTypes } from './reten-data.ts'
import { buildReconcileService } from './build-reconcile.ts'

export interface Parts {
  readonly dbs: PooledDbs
  readonly catalog: ConnectionCatalog
  readonly http: HttpClient
  readonly adapters: AdapterPool
  readonly retenClients: RetenClients
  /** Empty in the role `http`. */
  readonly loops: readonly JobLoop[]
  /** In the order they start; the loops are among them. */
  readonly services: readonly Service[]
  /** Jobs of this kind may be due: wakes this process's loop and tells the others. */
  nudge(kind: JobKind): void
}

export interface PartsInput {
  readonly config: Config
  readonly dbs: PooledDbs
  readonly directUrl: string
  readonly logger: Logger
  readonly metrics: Metrics
}

const EVERY_5_SECONDS = '*/5 * * * * *'
// Hourly although days are made 14 ahead: what missed a run for any reason is made up for within the hour.
const EVERY_HOUR = '0 7 * * * *'

/** The most that `max_in_flight` may be: no delivery waits for a connection behind another one of its own. */
const MOST_IN_FLIGHT = 1_000

/** Builds everything but the listeners. Opens no socket and starts no timer. */
export function buildParts(input: PartsInput): Parts {
  const { config, dbs, logger, metrics } = input
  const db = dbs.working
  const worker = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`
  const clock = systemClock
  const http = createHttpClient()
  const guards = buildGuards({ db, clock, random: Math.random, logger })
  const catalog = createConnectionCatalog({ db: dbs.accepting, config, logger })
  metrics.watchBreakers(() => (config.role === 'http' ? [] : guards.sample(catalog.list())))
  const retenClients = createRetenClients({
    httpOf: (connection) => guards.report.holdOffs.watch(http, connection),
    clock,
  })
  const adapters = createAdapterPool({
    createHttp: (connection) =>
      guards.deliver.holdOffs.watch(createHttpClient({ maxConnections: MOST_IN_FLIGHT }), connection),
    clock,
    random: Math.random,
    logger,
    resultTypes: (connection, signal) => readResultTypes(retenClients, connection, signal),
    attributes: (connection, activityId, signal) => readAttributes(retenClients, connection, activityId, signal),
  })
  const notifier = createNotifier(db, logger)
  const loops = new Map<JobKind, JobLoop>()
  const nudge = (kind: JobKind): void => {
    loops.get(kind)?.nudge()
    notifier.notify(kind)
  }
  const leases = createLeaseKeeper({ db: dbs.vital, worker, logger })
  // The periodic refresh says what is wrong where this one fails.
  const onConnectionChanged = (): void => void catalog.refresh().catch(() => {})
  const shared = { db, catalog, clock, random: Math.random, logger, metrics, worker, leases, onConnectionChanged }
  if (config.role !== 'http') {
    loops.set(
      'deliver',
      createDeliveryWorker({
        ...shared,
        adapters,
        guards: guards.deliver,
        onReportDue: () => nudge('report'),
        onCancelDue: () => nudge('cancel'),
      }),
    )
    loops.set('cancel', createCancelWorker({ ...shared, adapters }))
    loops.set('report', createReportWorker({ ...shared, retenClients, guards: guards.report }))
  }
  const services = [
    connectionsService(catalog, guards, logger),
    createPeriodic({
      name: 'partitions',
      pattern: EVERY_HOUR,
      logger,
      guard: () => takeTurn(db, { task: 'partitions', holder: worker, leaseSeconds: 600 }),
      run: () => ensureDayPartitions(db),
    }),
    createDatabaseSampler({ db, metrics, catalog, logger }),
    ...(config.role === 'http' ? [] : [leases, ...workerServices(input, worker, [...loops.values()], nudge)]),
    ...(config.role === 'http'
      ? []
      : [
          createOverdueWatch({
            db,
            logger,
            limits: () => readOverdueLimits(catalog, adapters),
            guard: () => takeTurn(db, { task: 'watch-overdue', holder: worker, leaseSeconds: 60 }),
          }),
          createDriftWatch({
            db,
            logger,
            metrics,
            guard: () => takeTurn(db, { task: 'watch-drift', holder: worker, leaseSeconds: 60 }),
          }),
        ]),
    ...(config.role === 'http'
      ? []
      : [
          ...buildProbeServices({ db, catalog, adapters, retenClients, logger, worker, nudge }),
          buildReconcileService({ config, ...shared, retenClients, nudge }),
        ]),
  ]
  return { dbs, catalog, http, adapters, retenClients, loops: [...loops.values()], services, nudge }
}

/** One whose adapter cannot be built may be owed results all the same; one whose provider never reports is owed none. */
async function readOverdueLimits(catalog: ConnectionCatalog, adapters: AdapterPool): Promise<readonly OverdueLimit[]> {
  const limits: OverdueLimit[] = []
  for (const connection of catalog.list()) {
    const adapter = connection.fault === undefined ? await adapters.get(connection) : undefined
    if (adapter?.capabilities.completion === 'none') continue
    limits.push({ connection: connection.name, seconds: connection.settings.resultOverdueAfterSeconds })
  }
  return limits
}

/** Keeps the catalog fresh; its fault names the connections that cannot work, or whose other side does not, as well. */
function connectionsService(catalog: ConnectionCatalog, guards: AllGuards, logger: Logger): Service {
  const refreshing = createPeriodic({
    name: 'connections',
    pattern: EVERY_5_SECONDS,
    logger,
    run: () => catalog.refresh(),
  })
  const fault = (): string | undefined => {
    const faults = [refreshing.fault(), catalog.fault(), guards.fault()].filter((one) => one !== undefined)
    return faults.length === 0 ? undefined : faults.join('; ')
  }
  return { ...refreshing, fault }
}

function workerServices(
  { dbs, directUrl, logger, metrics }: PartsInput,
  worker: string,
  loops: readonly JobLoop[],
  nudge: (kind: JobKind) => void,
): Service[] {
  const db = dbs.working
  const byName = new Map(loops.map((loop) => [loop.name, loop]))
  const matchEvents = createEventMatcher(db, logger)
  return [
    ...loops,
    createListener({ url: directUrl, logger, onNotified: (kind) => byName.get(kind)?.nudge() }),
    createRescueService({
      db,
      logger,
      onRescued: () => {
        for (const kind of JOB_KINDS) nudge(kind)
      },
      onUnproven: (connection) => metrics.results.inc({ connection, outcome: 'unproven' }),
    }),
    createPeriodic({
      name: 'match-events',
      pattern: EVERY_5_SECONDS,
      logger,
      guard: () => takeTurn(db, { task: 'match-events', holder: worker, leaseSeconds: 60 }),
      run: async () => {
        if ((await matchEvents()) > 0) nudge('report')
      },
    }),
  ]
}
