import type { FastifyReply, FastifyRequest } from 'fastify'
import { bearerToken, readToken } from '../tokens.ts'
import { findUsableKey, holdsPermission } from './api-keys.ts'
import { retenErrorBody } from './refuse.ts'
import type { RetenState, Tenant } from './state.ts'
import { permissionsOf, type User } from './users.ts'

/** Who calls, and for which tenant. */
export interface Caller {
  readonly tenant: Tenant
  readonly userId: string
  readonly permissions: readonly string[]
}

/** Lets a request through or answers it. */
export type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>

const CALLER = 'caller'

/** Lets a request through when its `x-api-key` is usable (401) and holds the permission (403). */
export const requireApiKey =
  (state: RetenState, permission: string): Guard =>
  async (request, reply) => {
    const caller = callerByKey(state, request.headers['x-api-key'])
    if (caller === undefined) return reply.code(401).send(retenErrorBody(401, 'API key missing or invalid'))
    return admit(request, reply, caller, permission)
  }

/**
 * Lets a request through when it carries a user's token and an `x-tenant-id` of theirs, or, as the documentation allows
 * outside `/integration` too, a usable API key. Without a permission named, any caller will do.
 */
export const requireUser =
  (state: RetenState, permission?: string): Guard =>
  async (request, reply) => {
    const byKey = callerByKey(state, request.headers['x-api-key'])
    if (byKey !== undefined) return admit(request, reply, byKey, permission)

    const user = userByToken(state, bearerToken(request.headers.authorization))
    if (user === undefined) return reply.code(401).send(retenErrorBody(401, 'Unauthorized'))
    const tenantId = request.headers['x-tenant-id']
    // The status of a missing or foreign tenant is an assumption.
    if (typeof tenantId !== 'string') return reply.code(400).send(retenErrorBody(400, 'x-tenant-id is required'))
    const tenant = state.tenants.get(tenantId)
    if (tenant === undefined || !user.tenantIds.includes(tenantId)) {
      return reply.code(403).send(retenErrorBody(403, 'Insufficient permissions'))
    }
    return admit(request, reply, { tenant, userId: user.id, permissions: permissionsOf(user.role) }, permission)
  }

const admit = (
  request: FastifyRequest,
  reply: FastifyReply,
  caller: Caller,
  permission: string | undefined,
): FastifyReply | undefined => {
  if (permission !== undefined && !holdsPermission(caller.permissions, permission)) {
    return reply.code(403).send(retenErrorBody(403, 'Insufficient permissions'))
  }
  request.setDecorator(CALLER, caller)
  return undefined
}

const callerByKey = (state: RetenState, key: string | readonly string[] | undefined): Caller | undefined => {
  if (typeof key !== 'string') return undefined
  const apiKey = findUsableKey(state, key)
  const tenant = apiKey === undefined ? undefined : state.tenants.get(apiKey.tenantId)
  if (apiKey === undefined || tenant === undefined) return undefined
  return { tenant, userId: apiKey.userId, permissions: apiKey.permissions }
}

const userByToken = (state: RetenState, token: string | undefined): User | undefined => {
  const claims = token === undefined ? undefined : readToken(token, state.tokenSecret)
  const { sub, exp } = claims ?? {}
  if (typeof sub !== 'string' || typeof exp !== 'number' || exp * 1000 <= state.clock.nowMs()) return undefined
  return state.users.get(sub)
}

/** The caller a guard has let through. */
export const callerOf = (request: FastifyRequest): Caller => request.getDecorator<Caller>(CALLER)

/** The name guards keep the caller under, for the server to declare. */
export const callerDecorator = CALLER
