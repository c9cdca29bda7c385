// POST /webhooks/{provider}: the provider tells what became of a dispatch. Answered after the event is committed.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Connection } from '../connection.ts'
import type { ProviderEvent } from '../dispatch/provider-event.ts'
import { AppError } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import { parseBody } from '../parse-body.ts'
import type { ConnectionCatalog, KeyMatch } from '../store/connection-catalog.ts'
import { toAppError } from '../store/database-errors.ts'
import type { Db } from '../store/database.ts'
import { recordProviderEvent } from '../store/record-provider-event.ts'

export interface WebhookDeps {
  readonly db: Db
  readonly catalog: ConnectionCatalog
  readonly metrics: Metrics
  readonly refuseFailedKey: (request: FastifyRequest) => Promise<AppError>
  /**
   * Reads a body in the provider's own way, or in the default one. Undefined where the connection has another provider.
   * Throws RCV_BODY_INVALID.
   */
  readonly readEvent: (connection: Connection, provider: string, body: unknown) => Promise<ProviderEvent | undefined>
  /** Called after a commit that made a report due. */
  readonly onReportDue: () => void
}

export const WEBHOOKS_ROUTE = '/webhooks/:provider'

interface WebhookRequest {
  Params: { provider: string }
}

/** Adds the route. `app` hands bodies over as raw bytes and has a `keyMatch` on its requests. */
export function registerWebhookRoutes(app: FastifyInstance, deps: WebhookDeps): void {
  app.post<WebhookRequest>(
    WEBHOOKS_ROUTE,
    {
      onRequest: async (request) => {
        request.keyMatch = await authenticate(deps, request)
      },
    },
    async (request, reply) => {
      const { keyMatch, body } = request
      if (keyMatch === undefined) throw await refused(deps, request)
      const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0)
      const parsed = parseBody(bytes)
      if (!parsed.ok) throw new AppError(parsed.code, parsed.message)
      const { provider } = request.params
      const event = await deps.readEvent(keyMatch.connection, provider, parsed.value)
      if (event === undefined) throw await refused(deps, request)
      const connection = keyMatch.connection.name
      const matched = await recordProviderEvent(deps.db, { connection, provider, event, body: bytes }).catch(
        (error: unknown) => {
          throw toAppError(error)
        },
      )
      deps.metrics.requests.inc({
        route: WEBHOOKS_ROUTE,
        outcome: matched === undefined ? 'kept' : 'matched',
        cause: 'none',
      })
      request.log.info({
        event: 'result.received',
        connection,
        dispatchId: matched?.dispatchId,
        activityId: matched?.activityId ?? event.activityId,
        status: event.content.status,
        isNew: matched?.isNew ?? false,
      })
      if (matched === undefined) {
        void reply.code(202)
        return { id: null, status: 'WAITING' }
      }
      if (matched.isNew) deps.onReportDue()
      return {
        id: matched.dispatchId,
        dispatchId: matched.dispatchId,
        activityId: matched.activityId,
        status: 'RECEIVED',
      }
    },
  )
}

async function authenticate(deps: WebhookDeps, request: FastifyRequest): Promise<KeyMatch> {
  const key = request.headers['x-api-key'] ?? bearerOf(request.headers.authorization)
  const match = typeof key === 'string' && key !== '' ? await deps.catalog.authenticate(key, 'webhook') : undefined
  if (match === undefined) throw await refused(deps, request)
  deps.metrics.keyUsed.inc({ connection: match.connection.name, key: match.keyId })
  return match
}

function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
}

function refused(deps: WebhookDeps, request: FastifyRequest): Promise<AppError> {
  deps.metrics.authFailures.inc({ route: WEBHOOKS_ROUTE })
  return deps.refuseFailedKey(request)
}
