// Who may do what through the admin API. A token names its bearer and a role; each route says which role it takes, and a route
// that says nothing takes an admin.
import { hash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AdminToken } from '../config.ts'
import { AppError } from '../errors.ts'
import type { Author } from '../store/write-audit.ts'
import type { Metrics } from '../metrics.ts'

export type AdminRole = AdminToken['role']

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The least role that may call this route of the admin API; an admin where it is absent. */
    role?: AdminRole
  }
  interface FastifyRequest {
    /** Whose token came with a request to the admin API. */
    bearer: AdminToken | undefined
  }
}

/** viewer reads without bodies; operator also bodies and replays; admin also connections and keys. */
const RANKS: Readonly<Record<AdminRole, number>> = Object.freeze({ viewer: 1, operator: 2, admin: 3 })

export interface AuthorizeDeps {
  readonly adminTokens: readonly AdminToken[]
  readonly metrics: Pick<Metrics, 'authFailures'>
}

/**
 * Guards every route of `app` (a scope of its own) before its body is read. Throws RCV_ADMIN_DISABLED where no token is
 * configured, RCV_UNAUTHORIZED for a missing or wrong one, RCV_FORBIDDEN where its role is too low.
 */
export function guardAdminRoutes(app: FastifyInstance, deps: AuthorizeDeps): void {
  const known = deps.adminTokens.map((token) => ({ token, digest: digestOf(token.token) }))
  app.decorateRequest('bearer', undefined)
  app.addHook('onRequest', async (request) => {
    if (known.length === 0) throw new AppError('RCV_ADMIN_DISABLED', 'the admin API is off: no ADMIN_TOKEN is set')
    const digest = digestOf(readBearer(request))
    // Every token is compared, so that the time taken does not tell which one came close.
    const bearer = known.filter((candidate) => timingSafeEqual(candidate.digest, digest))[0]?.token
    if (bearer === undefined) {
      deps.metrics.authFailures.inc({ route: request.routeOptions.url ?? '/admin' })
      throw new AppError('RCV_UNAUTHORIZED', 'the token is missing or not valid')
    }
    const required = request.routeOptions.config.role ?? 'admin'
    if (RANKS[bearer.role] < RANKS[required]) {
      throw new AppError('RCV_FORBIDDEN', `this takes the role ${required}; ${bearer.name} is ${bearer.role}`)
    }
    request.bearer = bearer
  })
}

/** Whether the request's bearer may see bodies, and what went over the wire. */
export function maySeeBodies(request: FastifyRequest): boolean {
  return request.bearer !== undefined && RANKS[request.bearer.role] >= RANKS.operator
}

/** Who the audit log names for this request. */
export function authorOf(request: FastifyRequest): Author {
  return { actor: request.bearer?.name ?? 'unknown', requestId: request.id }
}

function readBearer(request: FastifyRequest): string {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
}

function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}
