// Look at bodies that could not be read as an activity, and read them again.
import type { FastifyInstance } from 'fastify'
import { isUuid } from '../dispatch/identity.ts'
import { AppError } from '../errors.ts'
import type { Db } from '../store/database.ts'
import { listQuarantine, loadQuarantined } from '../store/list-quarantine.ts'
import type { QuarantinedBody } from '../store/list-quarantine.ts'
import { authorOf, maySeeBodies } from './authorize.ts'
import { decodeNumberAndIdCursor, encodeCursor } from './cursor.ts'
import { REASON_SCHEMA } from './reason.ts'
import { replayQuarantined } from './replay-quarantined.ts'
import type { QuarantineReplayDeps } from './replay-quarantined.ts'
import { instant, showBytes } from './show.ts'
import { PAGE_PARAMETERS, readLimit } from './validation.ts'
import type { Page } from './validation.ts'

interface ListQuery {
  readonly connection?: string
  readonly limit?: string
  readonly cursor?: string
}

const REPLAY_BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: { reason: REASON_SCHEMA },
}

const LIST_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    connection: { type: 'string', description: 'Only bodies that came over this connection.' },
    ...PAGE_PARAMETERS,
  },
}

/** Registers the routes below `/admin/quarantine`. */
export function registerQuarantineRoutes(app: FastifyInstance, deps: QuarantineReplayDeps): void {
  app.get<{ Querystring: ListQuery }>(
    '/quarantine',
    { config: { role: 'viewer' }, schema: { querystring: LIST_QUERY } },
    async (request) => listPage(deps.db, request.query),
  )

  app.get<{ Params: { id: string } }>('/quarantine/:id', { config: { role: 'viewer' } }, async (request) => {
    const { id } = request.params
    const row = isUuid(id) ? await loadQuarantined(deps.db, id) : undefined
    if (row === undefined) throw new AppError('RCV_QUARANTINED_NOT_FOUND', `there is no quarantined body ${id}`)
    const { headers, body, ...rest } = row
    return { ...showQuarantined(rest), ...(maySeeBodies(request) ? { body: { headers, ...showBytes(body) } } : {}) }
  })

  app.post<{ Params: { id: string }; Body: { reason: string } }>(
    '/quarantine/:id/replay',
    { config: { role: 'operator' }, schema: { body: REPLAY_BODY } },
    async (request) => {
      const { id } = request.params
      const reread = await replayQuarantined(deps, { id, reason: request.body.reason, author: authorOf(request) })
      if (reread.kind === 'received') return { status: 'RECEIVED', ...reread }
      const details = reread.faults.map((fault) => ({ ...fault }))
      throw new AppError('RCV_STATE_CONFLICT', `it still cannot be read: ${reread.code}`, { details })
    },
  )
}

async function listPage(db: Db, query: ListQuery): Promise<Page<ReturnType<typeof showQuarantined>>> {
  const limit = readLimit(query.limit)
  const cursor = query.cursor === undefined ? undefined : decodeNumberAndIdCursor(query.cursor)
  const after = cursor === undefined ? undefined : { lastReceivedMicros: cursor.position, id: cursor.id }
  const rows = await listQuarantine(db, { connection: query.connection, after, limit: limit + 1 })
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const hasMore = last !== undefined && rows.length > shown.length
  const next = hasMore ? encodeCursor([last.last_received_micros, last.id]) : null
  return { data: shown.map(showQuarantined), meta: { limit, next_cursor: next } }
}

function showQuarantined(row: QuarantinedBody) {
  return {
    id: row.id,
    connection: row.connection,
    activityId: row.activity_id,
    dispatchId: row.dispatch_id,
    code: row.code,
    details: row.details,
    contentType: row.content_type,
    sha256: row.sha256,
    bodyBytes: row.body_bytes,
    times: row.times,
    firstReceivedAt: instant(row.first_received_at),
    lastReceivedAt: instant(row.last_received_at),
    replayedAt: instant(row.replayed_at),
  }
}
