// What changed in the fields of the bodies that Reten pushes.
import type { FastifyInstance } from 'fastify'
import { SCHEMA_CHANGES } from '../dispatch/schema-drift.ts'
import type { SchemaChangeKind } from '../dispatch/schema-drift.ts'
import type { Db } from '../store/database.ts'
import { listDrift } from '../store/list-drift.ts'
import type { ListedChange } from '../store/list-drift.ts'
import { decodeNumberCursor, encodeCursor } from './cursor.ts'
import { refuseUnknownConnection } from './known-connection.ts'
import { instant } from './show.ts'
import { PAGE_PARAMETERS, readLimit } from './validation.ts'
import type { Page } from './validation.ts'

interface ListQuery {
  readonly connection?: string
  readonly change?: SchemaChangeKind
  readonly limit?: string
  readonly cursor?: string
}

const LIST_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    connection: { type: 'string', description: 'Only changes in the bodies of this connection.' },
    change: { enum: SCHEMA_CHANGES, description: 'Only changes of this kind.' },
    ...PAGE_PARAMETERS,
  },
}

/** Registers `/admin/drift`. */
export function registerDriftRoutes(app: FastifyInstance, deps: { readonly db: Db }): void {
  app.get<{ Querystring: ListQuery }>(
    '/drift',
    { config: { role: 'viewer' }, schema: { querystring: LIST_QUERY } },
    async (request) => listPage(deps.db, request.query),
  )
}

async function listPage(db: Db, query: ListQuery): Promise<Page<ReturnType<typeof showChange>>> {
  const { connection, change } = query
  const limit = readLimit(query.limit)
  const beforeId = query.cursor === undefined ? undefined : decodeNumberCursor(query.cursor)
  const rows = await listDrift(db, { connection, change, beforeId, limit: limit + 1 })
  if (rows.length === 0) await refuseUnknownConnection(db, connection)
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const next = last === undefined || rows.length === shown.length ? null : encodeCursor([last.id])
  return { data: shown.map(showChange), meta: { limit, next_cursor: next } }
}

function showChange(row: ListedChange) {
  return {
    connection: row.connection,
    activityType: row.activity_type,
    change: row.change,
    path: row.path,
    samplePath: row.sample_path,
    types: row.types,
    formerTypes: row.former_types,
    bodies: row.bodies,
    firstSeenAt: instant(row.first_seen_at),
    lastSeenAt: instant(row.last_seen_at),
    toldAt: instant(row.told_at),
    endedAt: instant(row.ended_at),
  }
}
