// The operators' app over a database of its own, and rows to look at.
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { buildAcceptAgain } from '../../src/commands/accept-again.ts'
import { buildExamine } from '../../src/commands/build-examine.ts'
import { buildStoreInbox } from '../../src/commands/build-inbox.ts'
import type { AdminToken, SecretsKey } from '../../src/config.ts'
import type { EnvironmentConnection } from '../../src/environment-connection.ts'
import { computeDispatchId } from '../../src/dispatch/identity.ts'
import { createSilentLogger } from '../../src/logger.ts'
import type { HealthDeps } from '../../src/ops/health.ts'
import { createMetrics } from '../../src/metrics.ts'
import type { Metrics } from '../../src/metrics.ts'
import { createOpsApp } from '../../src/ops-app.ts'
import type { OpsAppDeps } from '../../src/ops-app.ts'
import { createConnectionCatalog } from '../../src/store/connection-catalog.ts'
import type { ConnectionCatalog } from '../../src/store/connection-catalog.ts'
import { openDatabase } from '../../src/store/database.ts'
import type { Db } from '../../src/store/database.ts'
import { insertDispatches } from '../../src/store/insert-dispatches.ts'
import type { NewDispatch } from '../../src/store/insert-dispatches.ts'
import { createTestDatabase } from '../support/database.ts'

/** A pool on a migrated database that belongs to `t`. */
export async function openTestDb(t: Test): Promise<{ readonly db: Db; readonly url: string }> {
  const { url } = await createTestDatabase(t)
  const handle = openDatabase({ url, poolSize: 4, logger: createSilentLogger() })
  t.teardown(() => handle.close())
  return { db: handle.db, url }
}

export const TOKENS = Object.freeze({
  viewer: { name: 'vera', role: 'viewer', token: 'viewer-token-0123456789-0123456789-01' },
  operator: { name: 'otto', role: 'operator', token: 'operator-token-0123456789-0123456789' },
  admin: { name: 'ada', role: 'admin', token: 'admin-token-0123456789-0123456789-012' },
}) satisfies Record<AdminToken['role'], AdminToken>

/** A key for secrets, as SECRETS_KEY would give it. */
export const SECRETS_KEY: SecretsKey = { id: 'k1', key: Buffer.alloc(32, 7) }

export interface OpsFixture {
  readonly app: FastifyInstance
  readonly db: Db
  readonly url: string
  readonly catalog: ConnectionCatalog
  readonly metrics: Metrics
  /** What was nudged, in order. */
  readonly nudges: string[]
  /** Asks as the bearer of a role. */
  readonly ask: (role: AdminToken['role'], options: InjectOptions) => Promise<LightMyRequestResponse>
}

export interface OpsOverrides {
  readonly adminTokens?: readonly AdminToken[]
  readonly secretsKeys?: readonly SecretsKey[]
  readonly isProduction?: boolean
  readonly environmentConnection?: EnvironmentConnection
  readonly health?: Partial<HealthDeps>
  readonly checkAdapter?: OpsAppDeps['checkAdapter']
  readonly retenActivitiesOf?: OpsAppDeps['retenActivitiesOf']
}

/** The operators' app as a running service has it; closed when `t` ends. */
export async function createOpsFixture(t: Test, overrides: OpsOverrides = {}): Promise<OpsFixture> {
  const { db, url } = await openTestDb(t)
  const logger = createSilentLogger()
  const metrics = createMetrics({ withNodeMetrics: false })
  const config = {
    adminTokens: overrides.adminTokens ?? Object.values(TOKENS),
    secretsKeys: overrides.secretsKeys ?? [SECRETS_KEY],
    isProduction: overrides.isProduction ?? false,
    environmentConnection: overrides.environmentConnection,
    databaseUrl: url,
  }
  const catalog = createConnectionCatalog({ db, config, logger })
  const nudges: string[] = []
  const app = await createOpsApp({
    config,
    db,
    catalog,
    logger,
    metrics,
    health: { ...createHealth(), ...overrides.health },
    nudge: (kind) => nudges.push(kind),
    acceptAgain: buildAcceptAgain(buildStoreInbox(db, { onCommitted: () => nudges.push('deliver') }), catalog),
    retenActivitiesOf: overrides.retenActivitiesOf ?? (() => undefined),
    checkAdapter: overrides.checkAdapter,
    examine: buildExamine({ config, db, catalog }),
  })
  t.teardown(() => app.close())
  const ask: OpsFixture['ask'] = (role, options) =>
    app.inject({ ...options, headers: { authorization: `Bearer ${TOKENS[role].token}`, ...options.headers } })
  return { app, db, url, catalog, metrics, nudges, ask }
}

/** Asks as an admin below `/admin/connections`. */
export function connectionCallers({ ask }: Pick<OpsFixture, 'ask'>) {
  const asAdmin = (method: 'POST' | 'PATCH' | 'DELETE' | 'GET') => (path: string, body?: object) =>
    ask('admin', { method, url: `/admin/connections${path}`, ...(body === undefined ? {} : { body }) })
  return { get: asAdmin('GET'), post: asAdmin('POST'), patch: asAdmin('PATCH'), remove: asAdmin('DELETE') }
}

/** Health of a service in which all is well. */
export function createHealth(): HealthDeps {
  return {
    version: '1.2.3',
    clock: { now: () => 61_500 },
    startedAtMs: 1_000,
    checks: [],
    services: [],
    pausedConnections: () => [],
    isDraining: () => false,
    logger: createSilentLogger(),
  }
}

/** A connection's row. */
export async function addConnectionRow(
  db: Db,
  name = 'acme',
  overrides: { readonly origin?: 'environment' | 'managed'; readonly state?: 'active' | 'paused' | 'archived' } = {},
): Promise<void> {
  await db
    .insertInto('connections')
    .values({
      name,
      provider: 'mock',
      state_reason: overrides.state === 'paused' ? 'provider is down' : null,
      ...overrides,
    })
    .execute()
}

/** Stores one dispatch as it comes from Reten, with its body and deliver job; answers its id. */
export async function storeDispatch(db: Db, activityId: string, overrides: Partial<NewDispatch> = {}): Promise<string> {
  const connection = overrides.connection ?? 'acme'
  const id = computeDispatchId(connection, activityId)
  await insertDispatches(db, [
    {
      id,
      connection,
      activityId,
      type: 'TASK',
      channel: 'CALL',
      commerceId: 'store-1',
      operatorId: undefined,
      scheduledAt: undefined,
      origin: 'pushed',
      isForUs: true,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify({ id: activityId })),
      ...overrides,
    },
  ])
  return id
}

/** Makes a stored dispatch look given up: failed, with an attempt, and nothing due any more. */
export async function failDispatch(db: Db, id: string): Promise<void> {
  await db.deleteFrom('jobs').where('dispatch_id', '=', id).execute()
  await db
    .updateTable('dispatches')
    .set({ state: 'failed', reason_code: 'http_422', finished_at: new Date() })
    .where('id', '=', id)
    .execute()
  await db
    .insertInto('attempts')
    .values({
      day: new Date().toISOString().slice(0, 10),
      dispatch_id: id,
      job_id: 1,
      kind: 'deliver',
      number: 1,
      claim_no: 1,
      result_id: null,
      started_at: new Date(),
      duration_ms: 12,
      outcome: 'rejected',
      http_status: 422,
      error_code: 'http_422',
      error_message: 'no such commerce',
      request_excerpt: 'POST /tasks {"commerce":"store-1"}',
      response_excerpt: '{"error":"no such commerce"}',
      worker: 'w1',
    })
    .execute()
}
