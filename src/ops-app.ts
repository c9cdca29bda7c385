// The app the operators see, on a listener of its own: metrics and health open to whoever reaches it, the admin API behind
// tokens. Nothing that Reten or a provider calls is here.
import { randomUUID } from 'node:crypto'
import fastify, { LogController } from 'fastify'
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import helmet from '@fastify/helmet'
import type { Config } from './config.ts'
import { answerBrokenRequest, answerFrameworkError, registerErrorHandler } from './error-handler.ts'
import { AppError } from './errors.ts'
import type { Logger } from './logger.ts'
import { guardAdminRoutes } from './ops/authorize.ts'
import { registerBlockedRoutes } from './ops/blocked-routes.ts'
import { BUILT_IN_PROVIDERS } from './ops/connection-input.ts'
import { registerConnectionRoutes } from './ops/connection-routes.ts'
import type { ConnectionRouteDeps } from './ops/connection-routes.ts'
import type { ConnectionDeps } from './ops/connections.ts'
import { registerDecisionRoutes } from './ops/decision-routes.ts'
import { registerDispatchRoutes } from './ops/dispatch-routes.ts'
import { registerDriftRoutes } from './ops/drift-routes.ts'
import { registerHealthRoutes } from './ops/health.ts'
import type { HealthDeps } from './ops/health.ts'
import { registerKeyRoutes } from './ops/key-routes.ts'
import { registerMetricsRoute } from './ops/metrics-route.ts'
import type { Metrics } from './metrics.ts'
import { registerQuarantineRoutes } from './ops/quarantine-routes.ts'
import { registerReconciliationRoutes } from './ops/reconciliation-routes.ts'
import { registerReleaseRoutes } from './ops/release-routes.ts'
import { registerResultRoutes } from './ops/result-routes.ts'
import type { QuarantineReplayDeps } from './ops/replay-quarantined.ts'
import type { RetenActivitiesOf } from './ops/reten-side.ts'
import { useOwnValidation } from './ops/validation.ts'
import type { ConnectionCatalog } from './store/connection-catalog.ts'
import type { Db } from './store/database.ts'
import type { JobKind } from './store/tables.ts'

// What operators send are sentences and settings, never bodies of dispatches.
const BODY_LIMIT_BYTES = 256 * 1024
const REQUEST_TIMEOUT_MS = 30_000

export interface OpsAppDeps {
  readonly config: Pick<
    Config,
    'adminTokens' | 'secretsKeys' | 'isProduction' | 'environmentConnection' | 'databaseUrl'
  >
  readonly db: Db
  readonly catalog: Pick<ConnectionCatalog, 'refresh' | 'get'>
  readonly logger: Logger
  readonly metrics: Metrics
  readonly health: HealthDeps
  /** Takes a quarantined body in again, like a push; see `QuarantineReplayDeps`. */
  readonly acceptAgain: QuarantineReplayDeps['acceptAgain']
  readonly retenActivitiesOf: RetenActivitiesOf
  /** Wakes this process's workers after something became due. */
  nudge(kind: JobKind): void
  /** Examines one connection; see `ConnectionRouteDeps`. */
  readonly examine: ConnectionRouteDeps['examine']
  /** The providers that may be chosen through the admin API; default `BUILT_IN_PROVIDERS`. */
  readonly providers?: readonly string[] | undefined
  /** Asks a connection's adapter whether it could work; see `ConnectionDeps`. */
  readonly checkAdapter?: ConnectionDeps['checkAdapter']
}

/** Builds the operators' app; it listens when told to. */
export async function createOpsApp(deps: OpsAppDeps): Promise<FastifyInstance> {
  const loggerInstance: FastifyBaseLogger = deps.logger
  const app = fastify({
    loggerInstance,
    // One line per step is ours to write; lines about a request carry its id by the name it has everywhere.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    requestIdHeader: false, // ids of our own: a sender's would let it write into our log and audit
    genReqId: () => randomUUID(),
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: answerBrokenRequest,
  })
  registerErrorHandler(app)
  useOwnValidation(app)
  app.addHook('onError', async (request, _reply, error) => logRefusal(request, error))
  await app.register(helmet, { global: true })
  registerHealthRoutes(app, deps.health, { showsFaults: true })
  registerMetricsRoute(app, deps.metrics)
  await app.register(async (admin) => registerAdmin(admin, deps), { prefix: '/admin' })
  return app
}

/** Faults of ours are logged where they become an answer. */
function logRefusal(request: FastifyRequest, error: Error): void {
  if (!(error instanceof AppError) || error.statusCode >= 500) return
  const route = request.routeOptions.url ?? 'none'
  const line = { event: 'request.refused', route, cause: error.code, actor: request.bearer?.name, address: request.ip }
  request.log.warn(line, error.message)
}

function registerAdmin(admin: FastifyInstance, deps: OpsAppDeps): void {
  guardAdminRoutes(admin, { adminTokens: deps.config.adminTokens, metrics: deps.metrics })
  const { config, db, logger, providers = BUILT_IN_PROVIDERS, checkAdapter } = deps
  const nudge = (kind: JobKind): void => deps.nudge(kind)
  const refresh = (): Promise<void> => deps.catalog.refresh()
  const connectionDeps = { config, db, logger, providers, checkAdapter, refresh, nudge }
  registerDispatchRoutes(admin, { db, logger, nudge, retenActivitiesOf: deps.retenActivitiesOf })
  registerDecisionRoutes(admin, { db, logger, nudge })
  registerBlockedRoutes(admin, { db })
  registerDriftRoutes(admin, { db })
  registerReleaseRoutes(admin, { db, logger, nudge })
  registerResultRoutes(admin, { db, logger, nudge })
  registerQuarantineRoutes(admin, { db, logger, acceptAgain: deps.acceptAgain })
  const isEmbedded = config.databaseUrl === undefined
  registerReconciliationRoutes(admin, { db, logger, catalog: deps.catalog, isEmbedded })
  registerConnectionRoutes(admin, { ...connectionDeps, examine: deps.examine })
  registerKeyRoutes(admin, connectionDeps)
}
