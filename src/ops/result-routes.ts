// Results that wait, failed, are unproven or in conflict, and what a person can do about them.
import type { FastifyInstance } from 'fastify'
import { isUuid } from '../dispatch/identity.ts'
import { RESULT_STATES, RESULT_STATUSES } from '../dispatch/result.ts'
import type { ContactType, ResultContent, ResultState, ResultStatus } from '../dispatch/result.ts'
import type { Db } from '../store/database.ts'
import { listResults, OPEN_RESULT_STATES } from '../store/list-results.ts'
import type { ListedResult } from '../store/list-results.ts'
import { authorOf } from './authorize.ts'
import { decodeNumberAndIdCursor, encodeCursor } from './cursor.ts'
import { refuseUnknownConnection } from './known-connection.ts'
import { REASON_SCHEMA } from './reason.ts'
import type { ReplayDeps } from './replay.ts'
import { showListedResult } from './result-view.ts'
import { decideOnResult, readInstant, reportOneByHand } from './results.ts'
import { PAGE_PARAMETERS, queryError, readLimit } from './validation.ts'
import type { Page } from './validation.ts'

interface ListQuery {
  readonly state?: ResultState
  readonly connection?: string
  readonly dispatch?: string
  readonly held?: 'true'
  readonly limit?: string
  readonly cursor?: string
}

const LIST_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    state: {
      enum: RESULT_STATES,
      description: `Only results in this state. Default: ${OPEN_RESULT_STATES.join(', ')}; with dispatch, any. What is reported is listed by dispatch; superseded without one: those of an earlier revision, which nobody was told.`,
    },
    connection: { type: 'string', description: 'Only results of this connection.' },
    dispatch: { type: 'string', description: 'Only results of this dispatch.' },
    held: { const: 'true', description: 'Only results that wait for a setting, such as result_map.' },
    ...PAGE_PARAMETERS,
  },
}

const REASON_BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: { reason: REASON_SCHEMA },
}

const RESOLVE_BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['action', 'reason'],
  properties: {
    action: {
      enum: ['keep_theirs', 'overwrite'],
      description:
        "keep_theirs: what Reten holds is the result. overwrite: ours takes its place (Reten's hard_override).",
    },
    reason: REASON_SCHEMA,
  },
}

const CODE = { type: 'string', minLength: 1, maxLength: 200 } as const
const INSTANT = { type: 'string', format: 'date-time', maxLength: 64 } as const

const REPORT_BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['reason', 'status', 'result', 'occurred_at'],
  properties: {
    reason: REASON_SCHEMA,
    status: { enum: RESULT_STATUSES, description: "The outcome in Reten's words." },
    result: { ...CODE, description: "A code of the tenant's result types, or one that result_map knows." },
    occurred_at: {
      ...INSTANT,
      description: 'When it happened. To overwrite: later than what Reten holds was written there.',
    },
    comment: { type: 'string', maxLength: 10_000, description: 'Free text.' },
    contact_type: { enum: ['INBOUND', 'OUTBOUND'], description: 'Who called whom.' },
    operator_external_id: { ...CODE, description: 'Who did it.' },
    external_status: { ...CODE, description: "The provider's own status text." },
    future_scheduled_at: {
      ...INSTANT,
      description: 'When it is to be tried again; needed where the code asks for it.',
    },
    overwrite: { type: 'boolean', description: 'Overwrite whatever Reten holds. Default false.' },
  },
}

interface ReportBody {
  readonly reason: string
  readonly status: ResultStatus
  readonly result: string
  readonly occurred_at: string
  readonly comment?: string
  readonly contact_type?: ContactType
  readonly operator_external_id?: string
  readonly external_status?: string
  readonly future_scheduled_at?: string
  readonly overwrite?: boolean
}

interface ById {
  readonly Params: { readonly id: string }
}

/** Registers the routes below `/admin/results`, and `/admin/dispatches/{id}/result`. */
export function registerResultRoutes(app: FastifyInstance, deps: ReplayDeps): void {
  app.get<{ Querystring: ListQuery }>(
    '/results',
    { config: { role: 'viewer' }, schema: { querystring: LIST_QUERY } },
    async (request) => listPage(deps.db, request.query),
  )

  app.post<ById & { Body: { reason: string } }>(
    '/results/:id/retry',
    { config: { role: 'operator' }, schema: { body: REASON_BODY } },
    async (request, reply) => {
      const decision = { id: request.params.id, action: 'retry', reason: request.body.reason } as const
      return reply.code(202).send(await decideOnResult(deps, { ...decision, author: authorOf(request) }))
    },
  )

  app.post<ById & { Body: { action: 'keep_theirs' | 'overwrite'; reason: string } }>(
    '/results/:id/resolve',
    { config: { role: 'operator' }, schema: { body: RESOLVE_BODY } },
    async (request, reply) => {
      const decided = await decideOnResult(deps, {
        id: request.params.id,
        ...request.body,
        author: authorOf(request),
      })
      return reply.code(decided.state === 'pending' ? 202 : 200).send(decided)
    },
  )

  app.post<ById & { Body: ReportBody }>(
    '/dispatches/:id/result',
    { config: { role: 'operator' }, schema: { body: REPORT_BODY } },
    async (request, reply) => {
      const { reason, overwrite: isOverride = false } = request.body
      const report = { id: request.params.id, content: toContent(request.body), isOverride, reason }
      return reply.code(202).send(await reportOneByHand(deps, { ...report, author: authorOf(request) }))
    },
  )
}

function toContent(body: ReportBody): ResultContent {
  const future = body.future_scheduled_at
  return {
    status: body.status,
    code: body.result,
    occurredAt: readInstant(body.occurred_at, '/occurred_at'),
    comment: body.comment,
    contactType: body.contact_type,
    operatorExternalId: body.operator_external_id,
    externalStatus: body.external_status,
    futureScheduledAt: future === undefined ? undefined : readInstant(future, '/future_scheduled_at'),
  }
}

async function listPage(db: Db, query: ListQuery): Promise<Page<ReturnType<typeof showListedResult>>> {
  const limit = readLimit(query.limit)
  const { state, connection, dispatch } = query
  if (dispatch !== undefined && !isUuid(dispatch)) throw queryError('dispatch', 'must be the id of a dispatch')
  if (dispatch === undefined && state === 'reported') {
    throw queryError('state', 'can be reported only together with dispatch')
  }
  const cursor = query.cursor === undefined ? undefined : decodeNumberAndIdCursor(query.cursor)
  const before = cursor === undefined ? undefined : { createdAtMicros: cursor.position, id: cursor.id }
  const filter = { state, connection, dispatchId: dispatch, isHeld: query.held === 'true', before }
  // One more than asked for tells whether there is a next page.
  const rows = await listResults(db, { ...filter, limit: limit + 1 })
  if (rows.length === 0) await refuseUnknownConnection(db, connection)
  const shown = rows.slice(0, limit)
  return { data: shown.map(showListedResult), meta: { limit, next_cursor: nextCursor(rows, shown) } }
}

function nextCursor(rows: readonly ListedResult[], shown: readonly ListedResult[]): string | null {
  const last = shown.at(-1)
  if (last === undefined || rows.length === shown.length) return null
  return encodeCursor([last.created_at_micros, last.id])
}
