// The body of a dispatch is NOT documented. These shapes are what the documented parts of Reten's API make likely, and
// one that nothing makes likely; a receiver has to read the first three and must not lose the last.
import type { Activity, PayloadShape } from './records.ts'
import type { RetenState } from './state.ts'

/** The body this activity is dispatched with. */
export const buildDispatchPayload = (state: RetenState, activity: Activity): Record<string, unknown> => {
  const shape = activity.payloadShape ?? shapeFor(state, activity)
  switch (shape) {
    case 'nested-camel':
      return nestedCamel(activity)
    case 'flat-camel':
      return flatCamel(activity)
    case 'flat-snake':
      return flatSnake(activity)
    case 'unexpected':
      return unexpected(activity)
  }
}

const shapeFor = (state: RetenState, activity: Activity): PayloadShape => {
  const { payloadShape } = state.switches
  if (payloadShape !== 'mixed') return payloadShape
  return state.random.pick(['nested-camel', 'flat-camel', 'flat-snake'] as const, activity.id, 'shape')
}

const attributesOf = (activity: Activity): { key: string; value: unknown }[] =>
  activity.attributes.map(({ key, value }) => ({ key, value }))

const nestedCamel = (activity: Activity): Record<string, unknown> => ({
  id: activity.id,
  type: activity.type,
  channel: activity.channel,
  reason: activity.reason,
  userStatus: activity.userStatus,
  score: activity.score,
  assignmentReason: activity.assignmentReason,
  scheduledAt: activity.scheduledAt,
  suggestedExecutionTime: activity.suggestedExecutionTime,
  commerce: {
    id: activity.commerce.id,
    externalId: activity.commerce.externalId,
    name: activity.commerce.name,
    taxId: activity.commerce.taxId,
    addresses: activity.commerce.addresses,
  },
  operator:
    activity.operator === undefined
      ? null
      : {
          id: activity.operator.id,
          externalId: activity.operator.externalId,
          type: activity.operator.type,
          name: activity.operator.name,
        },
  route:
    activity.route === undefined
      ? null
      : { id: activity.route.id, externalId: activity.route.externalId, name: activity.route.name },
  attributes: attributesOf(activity),
})

const flatCamel = (activity: Activity): Record<string, unknown> => ({
  activityId: activity.id,
  type: activity.type,
  channel: activity.channel,
  reason: activity.reason.code,
  userStatus: activity.userStatus?.code ?? null,
  score: activity.score,
  assignmentReason: activity.assignmentReason,
  scheduledAt: activity.scheduledAt,
  suggestedExecutionTime: activity.suggestedExecutionTime,
  commerceExternalId: activity.commerce.externalId,
  commerceName: activity.commerce.name,
  commerceTaxId: activity.commerce.taxId,
  operatorExternalId: activity.operator?.externalId ?? null,
  operatorName: activity.operator?.name ?? null,
  routeId: activity.route?.externalId ?? null,
  attributes: Object.fromEntries(activity.attributes.map(({ key, value }) => [key, value])),
})

const flatSnake = (activity: Activity): Record<string, unknown> => ({
  activity_id: activity.id,
  type: activity.type,
  channel: activity.channel,
  reason: activity.reason.code,
  user_status: activity.userStatus?.code ?? null,
  score: activity.score,
  assignment_reason: activity.assignmentReason,
  scheduled_at: activity.scheduledAt,
  suggested_execution_time: activity.suggestedExecutionTime,
  commerce_external_id: activity.commerce.externalId,
  commerce_name: activity.commerce.name,
  commerce_tax_id: activity.commerce.taxId,
  operator_external_id: activity.operator?.externalId ?? null,
  operator_name: activity.operator?.name ?? null,
  route_id: activity.route?.externalId ?? null,
  attributes: attributesOf(activity),
})

const unexpected = (activity: Activity): Record<string, unknown> => ({
  event: 'new_work',
  payload: { ref: activity.id, kind: activity.type, medium: activity.channel, when: activity.scheduledAt },
  store: { code: activity.commerce.externalId, title: activity.commerce.name },
  agent: activity.operator === undefined ? null : { code: activity.operator.externalId, label: activity.operator.name },
  extras: attributesOf(activity),
})
