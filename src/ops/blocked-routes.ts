// Which commerces wait, and for what.
import type { FastifyInstance } from 'fastify'
import type { Db } from '../store/database.ts'
import { listBlocked } from '../store/list-blocked.ts'
import type { BlockedCommerce } from '../store/list-blocked.ts'
import { decodeNumberCursor, encodeCursor } from './cursor.ts'
import { refuseUnknownConnection } from './known-connection.ts'
import { instant } from './show.ts'
import { PAGE_PARAMETERS, readLimit } from './validation.ts'
import type { Page } from './validation.ts'

interface ListQuery {
  readonly connection?: string
  readonly limit?: string
  readonly cursor?: string
}

const LIST_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    connection: { type: 'string', description: 'Only commerces of this connection.' },
    ...PAGE_PARAMETERS,
  },
}

/** Registers `/admin/blocked`. */
export function registerBlockedRoutes(app: FastifyInstance, deps: { readonly db: Db }): void {
  app.get<{ Querystring: ListQuery }>(
    '/blocked',
    { config: { role: 'viewer' }, schema: { querystring: LIST_QUERY } },
    async (request) => listPage(deps.db, request.query),
  )
}

async function listPage(db: Db, query: ListQuery): Promise<Page<ReturnType<typeof showBlocked>>> {
  const limit = readLimit(query.limit)
  const afterSeq = query.cursor === undefined ? undefined : decodeNumberCursor(query.cursor)
  const rows = await listBlocked(db, { connection: query.connection, afterSeq, limit: limit + 1 })
  if (rows.length === 0) await refuseUnknownConnection(db, query.connection)
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const next = last === undefined || rows.length === shown.length ? null : encodeCursor([last.seq])
  return { data: shown.map(showBlocked), meta: { limit, next_cursor: next } }
}

function showBlocked(row: BlockedCommerce) {
  return {
    connection: row.connection,
    commerceId: row.commerceId,
    reason: row.reason,
    reasonCode: row.reasonCode,
    since: instant(row.since),
    retryAt: instant(row.retryAt),
    waiting: row.waiting,
    dispatchId: row.dispatchId,
    activityId: row.activityId,
  }
}
