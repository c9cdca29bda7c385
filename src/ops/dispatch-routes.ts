// Search, look at and replay dispatches.
import type { FastifyInstance } from 'fastify'
import { DISPATCH_STATES } from '../dispatch/states.ts'
import type { DispatchState } from '../dispatch/states.ts'
import { isUuid } from '../dispatch/identity.ts'
import { AppError } from '../errors.ts'
import type { Db } from '../store/database.ts'
import { listDispatches } from '../store/list-dispatches.ts'
import type { ListedDispatch } from '../store/list-dispatches.ts'
import { loadDispatchBodies } from '../store/load-dispatch-bodies.ts'
import { loadDispatch } from '../store/load-dispatch.ts'
import { authorOf, maySeeBodies } from './authorize.ts'
import { decodeNumberCursor, encodeCursor } from './cursor.ts'
import { showBody, showDispatch, showWholeDispatch } from './dispatch-view.ts'
import { refuseUnknownConnection } from './known-connection.ts'
import { replayOne } from './replay.ts'
import type { ReplayDeps } from './replay.ts'
import { REASON_SCHEMA } from './reason.ts'
import { readRetenSide } from './reten-side.ts'
import type { RetenActivitiesOf } from './reten-side.ts'
import { PAGE_PARAMETERS, readLimit } from './validation.ts'
import type { Page } from './validation.ts'

interface ListQuery {
  readonly state?: DispatchState
  readonly connection?: string
  readonly overdue?: 'true'
  readonly parked?: 'true'
  readonly limit?: string
  readonly cursor?: string
}

const LIST_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    state: { enum: DISPATCH_STATES, description: 'Only dispatches in this state.' },
    connection: { type: 'string', description: 'Only dispatches of this connection.' },
    overdue: { const: 'true', description: 'Only dispatches whose result the provider owes for too long.' },
    parked: { const: 'true', description: 'Only dispatches whose delivery waits for a person.' },
    ...PAGE_PARAMETERS,
  },
}

interface ViewQuery {
  readonly reten?: 'true'
}

const VIEW_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    reten: { const: 'true', description: 'Ask Reten too: its status, status events and attributes beside ours.' },
  },
}

/** What a replay is asked with. */
interface ReplayBody {
  readonly reason: string
  readonly dry_run?: boolean
}

const REPLAY_BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: {
    reason: REASON_SCHEMA,
    dry_run: { type: 'boolean', description: 'Say what would happen and change nothing. Default false.' },
  },
}

interface ById {
  readonly Params: { readonly id: string }
}

export interface DispatchRoutesDeps extends ReplayDeps {
  readonly retenActivitiesOf: RetenActivitiesOf
}

/** Registers the routes below `/admin/dispatches`. */
export function registerDispatchRoutes(app: FastifyInstance, deps: DispatchRoutesDeps): void {
  app.get<{ Querystring: ListQuery }>(
    '/dispatches',
    { config: { role: 'viewer' }, schema: { querystring: LIST_QUERY } },
    async (request) => listPage(deps.db, request.query),
  )

  app.get<ById & { Querystring: ViewQuery }>(
    '/dispatches/:id',
    { config: { role: 'viewer' }, schema: { querystring: VIEW_QUERY } },
    async (request) => {
      const isWithReten = request.query.reten === 'true'
      return viewDispatch(deps, request.params.id, { mayShowBodies: maySeeBodies(request), isWithReten })
    },
  )

  app.post<ById & { Body: ReplayBody }>(
    '/dispatches/:id/replay',
    { config: { role: 'operator' }, schema: { body: REPLAY_BODY } },
    async (request, reply) => {
      const { reason, dry_run: isDryRun = false } = request.body
      const replay = await replayOne(deps, { id: request.params.id, reason, isDryRun, author: authorOf(request) })
      return reply.code(isDryRun ? 200 : 202).send(replay)
    },
  )
}

async function viewDispatch(
  { db, retenActivitiesOf }: DispatchRoutesDeps,
  id: string,
  { mayShowBodies, isWithReten }: { readonly mayShowBodies: boolean; readonly isWithReten: boolean },
) {
  const loaded = isUuid(id) ? await loadDispatch(db, id) : undefined
  if (loaded === undefined) throw new AppError('RCV_DISPATCH_NOT_FOUND', `there is no dispatch ${id}`)
  const { connection, activity_id: activityId } = loaded.dispatch
  const bodies = mayShowBodies ? (await loadDispatchBodies(db, id)).map(showBody) : undefined
  return {
    ...showWholeDispatch(loaded, mayShowBodies),
    ...(isWithReten
      ? { reten: await readRetenSide(retenActivitiesOf, { connection, activityId, mayShowBodies }) }
      : {}),
    ...(bodies === undefined
      ? {}
      : {
          body: bodies.find((body) => body.isCurrent) ?? null,
          otherBodies: bodies.filter((body) => !body.isCurrent),
        }),
  }
}

async function listPage(db: Db, query: ListQuery): Promise<Page<ReturnType<typeof showDispatch>>> {
  const limit = readLimit(query.limit)
  const beforeSeq = query.cursor === undefined ? undefined : decodeNumberCursor(query.cursor)
  // One more than asked for tells whether there is a next page.
  const rows = await listDispatches(db, { ...pickFilter(query), beforeSeq, limit: limit + 1 })
  if (rows.length === 0) await refuseUnknownConnection(db, query.connection)
  const shown = rows.slice(0, limit)
  return { data: shown.map(showDispatch), meta: { limit, next_cursor: nextCursor(rows, shown) } }
}

function pickFilter(query: ListQuery) {
  const { state, connection } = query
  return { state, connection, isOverdue: query.overdue === 'true', isParked: query.parked === 'true' }
}

function nextCursor(rows: readonly ListedDispatch[], shown: readonly ListedDispatch[]): string | null {
  const last = shown.at(-1)
  return last === undefined || rows.length === shown.length ? null : encodeCursor([last.seq])
}
