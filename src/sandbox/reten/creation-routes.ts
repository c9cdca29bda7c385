import type { FastifyInstance } from 'fastify'
import { created, sendAnswer, type Answer } from '../answer.ts'
import { attributeKeys, buildAttribute } from './attribute-keys.ts'
import { callerOf, requireUser } from './authenticate.ts'
import { createActivity, type NewActivity } from './create-activities.ts'
import { describeActivity } from './describe-activity.ts'
import {
  channels,
  type ActivityAttribute,
  type Channel,
  type CodeLabel,
  type TargetCriterion,
  type TargetUser,
} from './records.ts'
import { refuse } from './refuse.ts'
import type { RetenState, Tenant } from './state.ts'

interface CreateActivityBody {
  readonly type: 'TASK' | 'MESSAGE'
  readonly reason: string
  readonly channel: Channel
  readonly commerce_id: string
  readonly idempotency_key: string
  readonly scheduled_at: string
  readonly suggested_execution_time?: string | null
  readonly user_status?: string | null
  readonly score?: number | null
  readonly assignment_reason?: string | null
  readonly target_criteria?: readonly TargetCriterion[]
  readonly attribute_keys?: readonly string[]
  readonly attributes?: readonly { readonly key: string; readonly value?: unknown; readonly fallback?: unknown }[]
}

interface CreateTaskBody extends Omit<CreateActivityBody, 'type'> {
  readonly assigned_route_id: string
  readonly assigned_operator_id: string
}

const text = { type: 'string', minLength: 1 } as const
const uuid = { type: 'string', format: 'uuid' } as const
const optionalText = { type: ['string', 'null'] } as const

const properties = {
  reason: text,
  channel: { enum: channels },
  commerce_id: uuid,
  idempotency_key: text,
  scheduled_at: { type: 'string', format: 'iso-8601' },
  suggested_execution_time: { type: ['string', 'null'], format: 'iso-8601' },
  user_status: optionalText,
  score: { type: ['integer', 'null'] },
  assignment_reason: optionalText,
  target_criteria: {
    type: 'array',
    items: {
      type: 'object',
      required: ['type'],
      properties: { type: text, config: { type: 'object' }, priority: { type: 'integer' } },
    },
  },
  attribute_keys: { type: 'array', items: text },
  attributes: { type: 'array', items: { type: 'object', required: ['key'], properties: { key: text } } },
} as const

const required = ['reason', 'channel', 'commerce_id', 'idempotency_key', 'scheduled_at'] as const

const activitySchema = {
  type: 'object',
  required: [...required, 'type'],
  properties: { ...properties, type: { enum: ['TASK', 'MESSAGE'] } },
} as const

const taskSchema = {
  type: 'object',
  required: [...required, 'assigned_route_id', 'assigned_operator_id'],
  properties: { ...properties, assigned_route_id: uuid, assigned_operator_id: uuid },
} as const

/** Adds the creation of activities and of tasks. What is answered is an assumption: the activity, with 201. */
export const addCreationRoutes = (app: FastifyInstance, state: RetenState): void => {
  const onRequest = requireUser(state, 'CREATE_ACTIVITY')

  app.post<{ Body: CreateActivityBody }>(
    '/api/activities',
    { onRequest, schema: { body: activitySchema } },
    (request, reply) => {
      const { body } = request
      return sendAnswer(reply, create(state, callerOf(request).tenant, body, { type: body.type }))
    },
  )

  app.post<{ Body: CreateTaskBody }>(
    '/api/activities/tasks',
    { onRequest, schema: { body: taskSchema } },
    (request, reply) => {
      const { tenant } = callerOf(request)
      const operator = tenant.operators.get(request.body.assigned_operator_id)
      const route = tenant.routes.get(request.body.assigned_route_id)
      if (operator === undefined) return sendAnswer(reply, refuse(404, 'Operator not found'))
      if (route === undefined) return sendAnswer(reply, refuse(404, 'Route not found'))
      return sendAnswer(reply, create(state, tenant, request.body, { type: 'TASK', operator, route }))
    },
  )
}

const create = (
  state: RetenState,
  tenant: Tenant,
  body: Omit<CreateActivityBody, 'type'>,
  assigned: Pick<NewActivity, 'type' | 'operator' | 'route'>,
): Answer => {
  if (tenant.byIdempotencyKey.has(body.idempotency_key)) return refuse(409, 'Duplicate idempotency key')
  const commerce = tenant.commerces.get(body.commerce_id)
  if (commerce === undefined) return refuse(404, 'Commerce not found')
  const attributes = buildAttributes(state, tenant, body)
  if ('statusCode' in attributes) return attributes
  const activity = createActivity(state, tenant, {
    ...assigned,
    commerce,
    channel: body.channel,
    reason: { code: body.reason, label: body.reason },
    userStatus: toCodeLabel(body.user_status ?? null),
    score: body.score ?? null,
    assignmentReason: body.assignment_reason ?? null,
    idempotencyKey: body.idempotency_key,
    scheduledAt: body.scheduled_at,
    suggestedExecutionTime: body.suggested_execution_time ?? null,
    attributes: attributes.list,
    targetUsers: body.target_criteria === undefined ? [] : [buildTarget(state, body.target_criteria)],
  })
  return created(describeActivity(activity))
}

const toCodeLabel = (code: string | null): CodeLabel | null => (code === null ? null : { code, label: code })

const buildAttributes = (
  state: RetenState,
  tenant: Tenant,
  body: Pick<CreateActivityBody, 'attribute_keys' | 'attributes'>,
): { readonly list: readonly ActivityAttribute[] } | Answer => {
  const known = new Map(attributeKeys(state.random).map((key) => [key.key, key]))
  const given = new Map((body.attributes ?? []).map((attribute) => [attribute.key, attribute]))
  const list: ActivityAttribute[] = []
  for (const name of new Set([...(body.attribute_keys ?? []), ...given.keys()])) {
    const key = known.get(name)
    if (key === undefined) return refuse(404, `Attribute key ${name} not found`)
    list.push(buildAttribute(state, tenant, key, given.get(name)))
  }
  return { list }
}

const buildTarget = (state: RetenState, criteria: readonly TargetCriterion[]): TargetUser => ({
  id: state.nextId('target-user'),
  resolutionStatus: 'PENDING',
  resolutionStrategy: 'ON_CREATION',
  criteria,
  lockReason: null,
  commerceUser: null,
})
