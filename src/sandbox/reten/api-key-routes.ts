import type { FastifyInstance } from 'fastify'
import { created, ok, sendAnswer, type Answer } from '../answer.ts'
import { createApiKey, holdsPermission } from './api-keys.ts'
import { callerOf, requireUser, type Caller } from './authenticate.ts'
import type { ApiKey } from './records.ts'
import { refuse } from './refuse.ts'
import type { RetenState } from './state.ts'

interface CreateKeyBody {
  readonly name: string
  readonly permissions: readonly string[]
  readonly expiresAt?: string | null
}

const createKeySchema = {
  type: 'object',
  required: ['name', 'permissions'],
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 255 },
    permissions: { type: 'array', minItems: 1, items: { type: 'string', minLength: 1 } },
    expiresAt: { type: ['string', 'null'], format: 'iso-8601' },
  },
} as const

/** Adds create, list and revoke of API keys. */
export const addApiKeyRoutes = (app: FastifyInstance, state: RetenState): void => {
  const onRequest = requireUser(state, 'MANAGE_API_KEYS')

  app.post<{ Body: CreateKeyBody }>(
    '/api/api-keys',
    { onRequest, schema: { body: createKeySchema } },
    (request, reply) => sendAnswer(reply, createKey(state, callerOf(request), request.body)),
  )

  app.get('/api/api-keys', { onRequest }, (request, reply) =>
    sendAnswer(reply, ok([...callerOf(request).tenant.apiKeys.values()].toReversed().map(describeKey))),
  )

  app.post<{ Params: { id: string } }>('/api/api-keys/:id/revoke', { onRequest }, (request, reply) =>
    sendAnswer(reply, revokeKey(state, callerOf(request), request.params.id)),
  )
}

const createKey = (state: RetenState, caller: Caller, body: CreateKeyBody): Answer => {
  const isSubset = body.permissions.every((wanted) => holdsPermission(caller.permissions, wanted.toUpperCase()))
  if (!isSubset) return refuse(403, 'Insufficient permissions')
  const { apiKey, plaintextKey } = createApiKey(state, caller.tenant, { ...body, userId: caller.userId })
  // Two pages name the field differently: both are given.
  return created({ ...describeKey(apiKey), plaintextKey, key: plaintextKey })
}

const revokeKey = (state: RetenState, caller: Caller, id: string): Answer => {
  const apiKey = caller.tenant.apiKeys.get(id)
  if (apiKey === undefined) return refuse(404, 'API key not found')
  if (apiKey.userId !== caller.userId) return refuse(403, 'Insufficient permissions')
  if (apiKey.revokedAt !== null) return refuse(400, 'API key is already revoked')
  apiKey.revokedAt = state.clock.nowIso()
  return ok({ message: 'API key revoked successfully' })
}

const describeKey = (apiKey: ApiKey): Record<string, unknown> => ({
  id: apiKey.id,
  name: apiKey.name,
  keyPrefix: apiKey.keyPrefix,
  userId: apiKey.userId,
  tenantId: apiKey.tenantId,
  isActive: apiKey.revokedAt === null,
  permissions: apiKey.permissions,
  expiresAt: apiKey.expiresAt,
  lastUsedAt: apiKey.lastUsedAt,
  createdAt: apiKey.createdAt,
  revokedAt: apiKey.revokedAt,
})
