import type { FastifyReply, FastifyRequest } from 'fastify'
import { findUsableKey, holdsPermission } from './api-keys.ts'
import { retenErrorBody } from './refuse.ts'
import type { RetenState, Tenant } from './state.ts'

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

/** Lets the caller through, or answers 403 when the permission is missing. */
export const admit = (
  request: FastifyRequest,
  reply: FastifyReply,
  caller: Caller,
  permission: string,
): FastifyReply | undefined => {
  if (!holdsPermission(caller.permissions, permission)) {
    return reply.code(403).send(retenErrorBody(403, 'Insufficient permissions'))
  }
  request.setDecorator(CALLER, caller)
  return undefined
}

/** The caller behind a key; `undefined` when it is missing, unknown, expired or revoked. */
export const callerByKey = (state: RetenState, key: string | readonly string[] | undefined): Caller | undefined => {
  if (typeof key !== 'string') return undefined
  const apiKey = findUsableKey(state, key)
  const tenant = apiKey === undefined ? undefined : state.tenants.get(apiKey.tenantId)
  if (apiKey === undefined || tenant === undefined) return undefined
  return { tenant, userId: apiKey.userId, permissions: apiKey.permissions }
}

/** The caller a guard has let through. */
export const callerOf = (request: FastifyRequest): Caller => request.getDecorator<Caller>(CALLER)

/** The name guards keep the caller under, for the server to declare. */
export const callerDecorator = CALLER
