// Comparisons with Reten's list: have one made now, and see what they found.
import type { FastifyInstance } from 'fastify'
import { AppError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { reasonNotReconciled } from '../reason-not-reconciled.ts'
import type { ConnectionCatalog } from '../store/connection-catalog.ts'
import type { Db } from '../store/database.ts'
import { listReconciliations } from '../store/list-reconciliations.ts'
import type { Reconciliation } from '../store/list-reconciliations.ts'
import { requestReconciliation } from '../store/request-reconciliation.ts'
import { authorOf } from './authorize.ts'
import { decodeNumberCursor, encodeCursor } from './cursor.ts'
import { refuseUnknownConnection } from './known-connection.ts'
import { REASON_SCHEMA } from './reason.ts'
import { instant } from './show.ts'
import { PAGE_PARAMETERS, readLimit } from './validation.ts'
import type { Page } from './validation.ts'

export interface ReconciliationDeps {
  readonly db: Db
  readonly logger: Logger
  readonly catalog: Pick<ConnectionCatalog, 'get' | 'refresh'>
  readonly isEmbedded: boolean
}

interface ListQuery {
  readonly connection?: string
  readonly limit?: string
  readonly cursor?: string
}

const LIST_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    connection: { type: 'string', description: 'Only comparisons of this connection.' },
    ...PAGE_PARAMETERS,
  },
}

const REQUEST_BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['connection', 'reason'],
  properties: {
    connection: { type: 'string', minLength: 1, description: 'The connection to compare.' },
    reason: REASON_SCHEMA,
  },
}

/** Registers `/admin/reconciliations`. */
export function registerReconciliationRoutes(app: FastifyInstance, deps: ReconciliationDeps): void {
  app.get<{ Querystring: ListQuery }>(
    '/reconciliations',
    { config: { role: 'viewer' }, schema: { querystring: LIST_QUERY } },
    async (request) => listPage(deps.db, request.query),
  )

  app.post<{ Body: { connection: string; reason: string } }>(
    '/reconciliations',
    { config: { role: 'operator' }, schema: { body: REQUEST_BODY } },
    async (request, reply) => {
      const { connection, reason } = request.body
      await refuseUncompared(deps, connection)
      const author = authorOf(request)
      const { id } = await requestReconciliation(deps.db, { connection, reason, author })
      const line = { event: 'reconcile.requested', connection, ...author }
      deps.logger.info(line, `a comparison with Reten was asked for by ${author.actor}`)
      return reply.code(202).send({ id, connection, status: 'REQUESTED' })
    },
  )
}

async function refuseUncompared({ catalog, isEmbedded }: ReconciliationDeps, name: string): Promise<void> {
  await catalog.refresh()
  const connection = catalog.get(name)
  if (connection === undefined) throw new AppError('RCV_CONNECTION_NOT_FOUND', `there is no connection ${name}`)
  const why = reasonNotReconciled(connection, isEmbedded)
  if (why !== undefined) throw new AppError('RCV_STATE_CONFLICT', `${name} is not compared with Reten: ${why}`)
}

async function listPage(db: Db, query: ListQuery): Promise<Page<ReturnType<typeof showReconciliation>>> {
  const limit = readLimit(query.limit)
  const beforeId = query.cursor === undefined ? undefined : decodeNumberCursor(query.cursor)
  const rows = await listReconciliations(db, { connection: query.connection, beforeId, limit: limit + 1 })
  if (rows.length === 0) await refuseUnknownConnection(db, query.connection)
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const next = last === undefined || rows.length === shown.length ? null : encodeCursor([last.id])
  return { data: shown.map(showReconciliation), meta: { limit, next_cursor: next } }
}

function showReconciliation(row: Reconciliation) {
  return {
    id: row.id,
    connection: row.connection,
    requestedBy: row.requested_by,
    reason: row.reason,
    requestedAt: instant(row.requested_at),
    startedAt: instant(row.started_at),
    finishedAt: instant(row.finished_at),
    pages: row.pages,
    seen: row.seen,
    missing: row.missing,
    waiting: row.waiting,
    canceled: row.canceled,
    proven: row.proven,
    reportedAgain: row.reported_again,
    differences: row.differences,
    findings: row.findings,
    isWhole: row.is_whole,
    error: row.error,
  }
}
