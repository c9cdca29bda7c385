// POST /activities: what Reten calls. Authenticated before a byte of the body is read; answered after the commit.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RateLimitPluginOptions } from '@fastify/rate-limit'
import type { ConnectionCatalog, KeyMatch } from '../store/connection-catalog.ts'
import { AppError } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import { readSchema } from '../schemas.ts'
import type { DispatchAnswer } from '../schema-types.ts'
import { acceptDispatch } from './accept-dispatch.ts'
import type { AcceptDeps, Acceptance } from './accept-dispatch.ts'
import { keptHeaders } from './kept-headers.ts'
import { MINUTE_MS } from '../time.ts'

export interface ReceiveDeps extends AcceptDeps {
  readonly catalog: ConnectionCatalog
  readonly metrics: Metrics
  /** Dispatches per connection and minute; 0 switches the limit off. */
  readonly rateLimitPerMinute: number
  readonly refuseFailedKey: (request: FastifyRequest) => Promise<AppError>
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The key this request came with; set by a route's authentication. */
    keyMatch: KeyMatch | undefined
  }
}

export const ACTIVITIES_ROUTE = '/activities'

/** Adds the route. `app` hands bodies over as raw bytes and has a `keyMatch` on its requests. */
export function registerReceiveRoutes(app: FastifyInstance, deps: ReceiveDeps): void {
  const answer = readSchema('dispatch-answer')
  const accepting: AcceptDeps = {
    inbox: deps.inbox,
    quarantine: async (unreadable) => {
      await deps.quarantine(unreadable)
      deps.metrics.quarantined.inc({ connection: unreadable.connection, code: unreadable.code })
    },
  }
  app.route({
    method: 'POST',
    url: ACTIVITIES_ROUTE,
    ...(deps.rateLimitPerMinute > 0 ? { config: { rateLimit: rateLimit(deps.rateLimitPerMinute) } } : {}),
    schema: { response: { 200: answer, 201: answer, 202: answer } },
    onRequest: (request, reply) => authenticate(deps, request, reply),
    handler: (request, reply) => receive(deps, accepting, request, reply),
  })
}

/** Per connection, after authentication: the limit's hook runs behind `onRequest`. */
function rateLimit(max: number): RateLimitPluginOptions {
  return {
    hook: 'preParsing',
    max,
    timeWindow: MINUTE_MS,
    keyGenerator: (request) => request.keyMatch?.connection.name ?? '',
    errorResponseBuilder: (_request, context) => {
      const retryAfterSeconds = Math.ceil(context.ttl / 1_000)
      return new AppError('RCV_RATE_LIMITED', `more than ${context.max} dispatches a minute`, { retryAfterSeconds })
    },
  }
}

async function authenticate(deps: ReceiveDeps, request: FastifyRequest, _reply: FastifyReply): Promise<void> {
  const key = request.headers['x-api-key']
  const match = typeof key === 'string' && key !== '' ? await deps.catalog.authenticate(key, 'dispatch') : undefined
  if (match === undefined) {
    deps.metrics.authFailures.inc({ route: ACTIVITIES_ROUTE })
    throw await deps.refuseFailedKey(request)
  }
  deps.metrics.keyUsed.inc({ connection: match.connection.name, key: match.keyId })
  request.keyMatch = match
}

async function receive(
  deps: ReceiveDeps,
  accepting: AcceptDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<DispatchAnswer> {
  const { keyMatch, body } = request
  if (keyMatch === undefined) throw new AppError('RCV_UNAUTHORIZED', 'the key is missing or not valid')
  const startedAt = performance.now()
  const acceptance = await acceptDispatch(accepting, {
    connection: keyMatch.connection,
    body: Buffer.isBuffer(body) ? body : Buffer.alloc(0),
    contentType: request.headers['content-type'],
    contentEncoding: request.headers['content-encoding'],
    headers: keptHeaders(request.headers),
  })
  const durationMs = performance.now() - startedAt
  deps.metrics.ingestDuration.observe(durationMs / 1_000)
  record(deps, request, keyMatch.connection.name, acceptance, durationMs)
  void reply.code(statusOf(acceptance))
  return toAnswer(acceptance, request.id)
}

function statusOf(acceptance: Acceptance): number {
  if (acceptance.kind === 'quarantined') return 202
  return acceptance.receipt === 'new' ? 201 : 200
}

function toAnswer(acceptance: Acceptance, requestId: string): DispatchAnswer {
  const { dispatchId, activityId } = acceptance
  const ids = { id: dispatchId, providerActivityId: dispatchId, activityId }
  if (acceptance.kind === 'received') return { ...ids, status: 'RECEIVED' }
  return { ...ids, status: 'QUARANTINED', details: acceptance.faults.map((fault) => ({ ...fault })), requestId }
}

function record(
  deps: ReceiveDeps,
  request: FastifyRequest,
  connection: string,
  acceptance: Acceptance,
  durationMs: number,
): void {
  const { dispatchId, activityId } = acceptance
  const line = { dispatchId, activityId, connection, durationMs: Math.round(durationMs * 10) / 10 }
  if (acceptance.kind === 'quarantined') {
    deps.metrics.requests.inc({ route: ACTIVITIES_ROUTE, outcome: 'quarantined', cause: acceptance.code })
    request.log.warn({ event: 'dispatch.quarantined', ...line, code: acceptance.code, faults: acceptance.faults })
    return
  }
  if (acceptance.receipt === 'new') {
    deps.metrics.requests.inc({ route: ACTIVITIES_ROUTE, outcome: 'created', cause: 'none' })
    request.log.info({ event: 'dispatch.received', ...line })
    return
  }
  const kind = acceptance.receipt === 'same' ? 'same' : 'conflict'
  deps.metrics.duplicates.inc({ kind })
  deps.metrics.requests.inc({ route: ACTIVITIES_ROUTE, outcome: 'repeated', cause: 'none' })
  request.log[kind === 'same' ? 'info' : 'warn']({ event: 'dispatch.duplicate', ...line, kind })
}
