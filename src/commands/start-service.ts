// The whole service from its settings: in which order it starts, and in which order it stops.
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Config } from '../config.ts'
import { describeConfig } from '../config.ts'
import { checkSettings } from '../connection.ts'
import type { Connection } from '../connection.ts'
import type { ProviderEvent } from '../dispatch/provider-event.ts'
import type { Logger } from '../logger.ts'
import { AppError } from '../errors.ts'
import { registerHealthRoutes } from '../ops/health.ts'
import type { HealthDeps } from '../ops/health.ts'
import { createMetrics } from '../metrics.ts'
import type { Metrics } from '../metrics.ts'
import { ADAPTERS } from '../deliver/adapters/registry.ts'
import { createOpsApp } from '../ops-app.ts'
import { createPublicApp } from '../public-app.ts'
import type { Inbox } from '../receive/inbox.ts'
import { registerReceiveRoutes } from '../receive/routes.ts'
import { readProviderEvent } from '../report/read-provider-event.ts'
import { registerWebhookRoutes } from '../report/webhook-routes.ts'
import type { RetenActivitiesClient } from '../reten/activities-client.ts'
import { startServices, stopServices } from '../services.ts'
import { ENVIRONMENT_CONNECTION } from '../store/connection-catalog.ts'
import type { Db } from '../store/database.ts'
import { checkMigrations } from '../store/migrate.ts'
import { ensureDayPartitions } from '../store/partitions.ts'
import { probeSoon } from '../store/probe-soon.ts'
import { quarantineBody } from '../store/quarantine-body.ts'
import { saveEnvironmentConnection } from '../store/save-environment-connection.ts'
import { systemClock } from '../time.ts'
import { SERVICE_VERSION } from '../version.ts'
import { buildAcceptAgain } from './accept-again.ts'
import { buildExamine } from './build-examine.ts'
import { buildStoreInbox } from './build-inbox.ts'
import { buildParts } from './build-parts.ts'
import type { Parts } from './build-parts.ts'
import { listenFault } from './listen-fault.ts'
import { assertReachable, findDatabase, migrateEmbedded } from './open-database.ts'
import { openPools } from './open-pools.ts'
import { readinessChecks } from './readiness.ts'

export interface RunningService {
  /** Origins as one can call them from this machine. */
  readonly publicUrl: string
  readonly opsUrl: string
  /** Finishes what was admitted, gives back what was begun, within a bound. May be called once. */
  stop(): Promise<void>
}

export interface StartOptions {
  readonly config: Config
  readonly logger: Logger
  /** Ends the waiting for a database that is not there yet: RCV_STOPPING. Nothing else of a start takes long. */
  readonly signal?: AbortSignal | undefined
  /** Where the embedded database keeps its data; default .data/postgres of the project. */
  readonly embeddedDirectory?: string | undefined
}

// Each part's own bound on stopping: a loop's grace (10 s) and then some. All of it stays below fly.toml's kill_timeout.
const STOP_TIMEOUT_MS = 15_000

// Above the interval of common health checks' half; with the other bounds it stays below fly.toml's kill_timeout.
const DRAIN_MS = 5_000
// A client that sends half a request and waits would hold the listener open for as long as it likes.
const CLOSE_TIMEOUT_MS = 10_000
const SWEEP_INTERVAL_MS = 50
// A database that starts beside us (a reboot, a fail-over) is there within this; longer is an outage to be told.
const DATABASE_WAIT_MS = 30_000

/** Starts the service and resolves when both listeners answer. What was started is stopped again where a later step fails. */
export async function startService(options: StartOptions): Promise<RunningService> {
  const { config, logger } = options
  const startedAtMs = systemClock.now()
  const cleanups: (() => Promise<unknown>)[] = []
  const stop = async (): Promise<void> => {
    for (const cleanup of cleanups.splice(0).toReversed()) {
      await cleanup().catch((error: unknown) =>
        logger.error({ event: 'service.stop_failed', err: error }, 'a part did not stop'),
      )
    }
  }
  try {
    const source = await findDatabase(config, logger, options.embeddedDirectory)
    cleanups.push(source.stop)
    const metrics = createMetrics()
    const isPooled = source.url !== source.directUrl
    const pools = openPools({ config, url: source.url, logger, isPooled })
    cleanups.push(pools.close)
    metrics.watchPool(pools.waiting)
    await assertReachable(pools.working, source.url, {
      waitMs: DATABASE_WAIT_MS,
      signal: options.signal,
      onWaiting: (why) => logger.warn({ event: 'database.waiting' }, `waiting for the database: ${why}`),
    })
    if (source.isEmbedded) await migrateEmbedded(source.url, logger)
    await checkMigrations(pools.working.db)
    await ensureDayPartitions(pools.working.db)
    const dbs = { accepting: pools.accepting.db, working: pools.working.db, vital: pools.vital.db }
    const parts = buildParts({ config, dbs, directUrl: source.directUrl, logger, metrics })
    cleanups.push(parts.http.close, parts.adapters.close, async () => parts.retenClients.close())
    await assertProviderKnown(parts, config)
    await saveEnvironment(pools.working.db, config)
    await parts.catalog.refresh()
    metrics.watchServices(parts.services)
    const inbox = buildStoreInbox(dbs.accepting, {
      onCommitted: () => parts.nudge('deliver'),
      observeBatch: (rows, seconds) => {
        metrics.commitBatchSize.observe(rows)
        metrics.commitDuration.observe(seconds)
      },
    })
    cleanups.push(() => inbox.close())
    let isDraining = false
    const health: HealthDeps = {
      version: SERVICE_VERSION,
      clock: systemClock,
      startedAtMs,
      checks: readinessChecks({ role: config.role, db: dbs.vital, inbox, loops: parts.loops }),
      services: parts.services,
      pausedConnections: () =>
        parts.catalog
          .list()
          .filter((connection) => connection.state === 'paused')
          .map((connection) => ({ name: connection.name, reason: connection.stateReason })),
      isDraining: () => isDraining,
      logger,
    }
    const opsUrl = await openOps({ config, logger, metrics, parts, health, inbox, cleanups })
    // Stopped after the public listener has closed, and begun once both listeners have their ports: a start that is refused
    // must not have delivered anything.
    let isWorking = false
    cleanups.push(async () => {
      if (isWorking) await stopServices(parts.services, STOP_TIMEOUT_MS, logger)
    })
    const publicUrl = await openPublic({ config, logger, metrics, parts, health, inbox, cleanups })
    await startServices(parts.services)
    isWorking = true
    cleanups.push(async () => {
      isDraining = true
      // A load balancer sees that readiness fails, and sends elsewhere, while this listener still answers.
      if (config.isProduction) await new Promise((resolve) => setTimeout(resolve, DRAIN_MS))
    })
    const addresses = { public: publicUrl, operators: opsUrl }
    logger.info({ event: 'service.started', ...describeConfig(config), ...addresses }, 'ready')
    return { publicUrl, opsUrl, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

interface ListenerInput {
  readonly config: Config
  readonly logger: Logger
  readonly metrics: Metrics
  readonly parts: Parts
  readonly health: HealthDeps
  readonly inbox: Inbox
  readonly cleanups: (() => Promise<unknown>)[]
}

/** Writes down the environment's connection, for this instance and for those that run already. */
async function saveEnvironment(db: Db, config: Config): Promise<void> {
  const environment = config.environmentConnection
  if (environment === undefined) return
  await saveEnvironmentConnection(db, {
    name: ENVIRONMENT_CONNECTION,
    provider: environment.provider,
    retenBaseUrl: environment.retenBaseUrl,
    settings: checkSettings(environment.settings),
    providerSettings: environment.providerSettings,
  })
  // A key that was wrong is mended in .env and by a restart, which no version of the row tells of.
  await probeSoon(db, ENVIRONMENT_CONNECTION)
}

/**
 * Throws RCV_ADAPTER_UNKNOWN where the environment names a provider that does not exist: a mistyped name is told at once. An
 * adapter whose settings are not complete yet is no reason not to receive; its connection says what is missing. Asked before
 * the connection is written down: a start that fails must not take the provider away from the instances that run.
 */
async function assertProviderKnown(parts: Parts, config: Config): Promise<void> {
  const environment = config.environmentConnection
  if (environment === undefined) return
  try {
    await parts.adapters.check({ name: ENVIRONMENT_CONNECTION, ...environment })
  } catch (error) {
    if (error instanceof AppError && error.code === 'RCV_ADAPTER_UNKNOWN') throw error
  }
}

async function openOps(input: ListenerInput): Promise<string> {
  const { config, logger, metrics, parts, health, inbox, cleanups } = input
  const app = await createOpsApp({
    config,
    logger,
    metrics,
    health,
    db: parts.dbs.working,
    catalog: parts.catalog,
    nudge: parts.nudge,
    acceptAgain: buildAcceptAgain(inbox, parts.catalog),
    retenActivitiesOf: (name) => findActivitiesClient(parts, name),
    checkAdapter: (draft) => parts.adapters.check(draft),
    examine: buildExamine({ config, db: parts.dbs.working, catalog: parts.catalog }),
    providers: Object.keys(ADAPTERS),
  })
  cleanups.push(() => closeWithin(app, CLOSE_TIMEOUT_MS))
  await listen(app, config.opsHost, config.opsPort, 'OPS_')
  return urlOf(app, config.opsHost)
}

function findActivitiesClient(parts: Parts, name: string): RetenActivitiesClient | undefined {
  const connection = parts.catalog.get(name)
  return connection === undefined ? undefined : parts.retenClients.get(connection)?.activities
}

async function openPublic(input: ListenerInput): Promise<string> {
  const { config, logger, metrics, parts, health, inbox, cleanups } = input
  const { app, refuseFailedKey } = await createPublicApp({ config, logger, metrics })
  registerHealthRoutes(app, health)
  if (config.role !== 'worker') {
    registerReceiveRoutes(app, {
      inbox,
      metrics,
      refuseFailedKey,
      catalog: parts.catalog,
      quarantine: (unreadable) => quarantineBody(parts.dbs.accepting, unreadable),
      rateLimitPerMinute: config.rateLimitPerMinute,
    })
    registerWebhookRoutes(app, {
      metrics,
      refuseFailedKey,
      db: parts.dbs.accepting,
      catalog: parts.catalog,
      readEvent: (connection, provider, body) => readEvent(parts, connection, provider, body),
      onReportDue: () => parts.nudge('report'),
    })
  }
  // Answers whatever is in flight, then the inbox is empty and closes.
  cleanups.push(() => closeWithin(app, CLOSE_TIMEOUT_MS))
  await listen(app, config.host, config.port, '')
  return urlOf(app, config.host)
}

/** By the adapter's own reading where it has one; an adapter that cannot be built must not lose what its provider tells us. */
async function readEvent(
  parts: Parts,
  connection: Connection,
  provider: string,
  body: unknown,
): Promise<ProviderEvent | undefined> {
  const adapter = await parts.adapters.get(connection)
  if ((adapter?.provider ?? connection.provider) !== provider) return undefined
  return adapter?.readEvent?.(body) ?? readProviderEvent(body)
}

/** Throws RCV_CONFIG_INVALID where address or port are at fault; their settings begin with `prefix`. */
async function listen(app: FastifyInstance, host: string, port: number, prefix: 'OPS_' | ''): Promise<void> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    throw listenFault(error, { portSetting: `${prefix}PORT`, address: { host, setting: `${prefix}HOST` } }) ?? error
  }
}

/** Stops listening and answers what is in flight; what is not over then is cut. */
async function closeWithin(app: FastifyInstance, timeoutMs: number): Promise<void> {
  const force = setTimeout(() => app.server.closeAllConnections(), timeoutMs)
  // Node closes the connections that are idle when it is told to close, and waits for those that become idle later: a sender
  // whose last request was in flight would hold us up for as long as it keeps its connection.
  const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_INTERVAL_MS)
  try {
    await app.close()
  } finally {
    clearTimeout(force)
    clearInterval(sweep)
  }
}

function urlOf(app: FastifyInstance, host: string): string {
  const address = app.server.address() as AddressInfo // it listens on TCP
  const isAny = host === '0.0.0.0' || host === '::'
  const name = isAny ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${address.port}`
}
