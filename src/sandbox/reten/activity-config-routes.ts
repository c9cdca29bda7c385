// Configuration around activities. Only names of fields and values are documented, mostly twice and differently.
import type { FastifyInstance } from 'fastify'
import { ok, sendAnswer } from '../answer.ts'
import { attributeKeys } from './attribute-keys.ts'
import { callerOf, requireUser } from './authenticate.ts'
import type { ActivityAttribute } from './records.ts'
import { refuse } from './refuse.ts'
import type { AttributePolicy, RetenState } from './state.ts'

interface PolicyBody {
  readonly attribute_key_id?: string
  readonly attributeKeyId?: string
  readonly resolution_strategy?: ActivityAttribute['strategy']
  readonly strategy?: ActivityAttribute['strategy']
  readonly resolver_type?: string
  readonly resolverType?: string
}

const uuid = { type: 'string', format: 'uuid' } as const
const strategy = { enum: ['UPFRONT', 'ON_DISPATCH', 'CALLER_PROVIDED'] } as const
const resolver = { enum: ['INTERNAL_SERVICE', 'CLIENT_HOOK', 'CALLER_PROVIDED'] } as const

const policySchema = {
  type: 'object',
  properties: {
    attribute_key_id: uuid,
    attributeKeyId: uuid,
    resolution_strategy: strategy,
    strategy,
    resolver_type: resolver,
    resolverType: resolver,
  },
} as const

const userRetentionStatuses = [
  { code: 'active', label: 'Activo', isActive: true },
  { code: 'at_risk', label: 'En Riesgo', isActive: true },
  { code: 'churned', label: 'Perdido', isActive: true },
] as const

/** Adds attribute keys and policies, target resolution, and the catalogue of user statuses. */
export const addActivityConfigRoutes = (app: FastifyInstance, state: RetenState): void => {
  const canView = requireUser(state, 'VIEW_ACTIVITIES')
  const canManage = requireUser(state, 'MANAGE_ACTIVITY_CONFIG')

  app.get('/api/activity-config/attribute-keys', { onRequest: canView }, (_request, reply) =>
    sendAnswer(reply, ok(attributeKeys(state.random))),
  )

  app.get('/api/activity-config/attribute-policies', { onRequest: canView }, (request, reply) =>
    sendAnswer(reply, ok([...callerOf(request).tenant.attributePolicies.values()])),
  )

  app.post<{ Body: PolicyBody }>(
    '/api/activity-config/attribute-policies',
    { onRequest: canManage, schema: { body: policySchema } },
    (request, reply) => {
      const { body } = request
      const { attributePolicies } = callerOf(request).tenant
      const attributeKeyId = body.attribute_key_id ?? body.attributeKeyId ?? ''
      const wanted = body.resolution_strategy ?? body.strategy
      if (wanted === undefined) return sendAnswer(reply, refuse(400, 'strategy is required'))
      if (!attributeKeys(state.random).some(({ id }) => id === attributeKeyId)) {
        return sendAnswer(reply, refuse(404, 'Attribute key not found'))
      }
      const policy: AttributePolicy = {
        id: attributePolicies.get(attributeKeyId)?.id ?? state.nextId('attribute-policy'),
        attributeKeyId,
        strategy: wanted,
        resolverType: body.resolver_type ?? body.resolverType ?? 'INTERNAL_SERVICE',
      }
      attributePolicies.set(attributeKeyId, policy)
      return sendAnswer(reply, ok(policy))
    },
  )

  app.get('/api/activity-config/target-resolution', { onRequest: canView }, (_request, reply) =>
    sendAnswer(reply, ok({ criteria: [], fallbackToCommerceRep: true, fallbackToOwner: true })),
  )

  app.get('/api/user-retention-statuses', { onRequest: canView }, (_request, reply) =>
    sendAnswer(reply, ok(userRetentionStatuses)),
  )
}
