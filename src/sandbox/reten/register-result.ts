// Registering a result: what both families of routes do once they have translated their body. The order of the checks
// is an assumption; the guards and what they compare are documented.
import { created, type Answer } from '../answer.ts'
import type { Activity, ActivityResult, CoreResultStatus, Operator, ResultDetails } from './records.ts'
import { refuse } from './refuse.ts'
import { statusAfter } from './result-words.ts'
import type { RetenState, Tenant } from './state.ts'
import { recordEvent } from './status-events.ts'

/** A result in the words of neither family. */
export interface ResultInput {
  readonly activityId: string | undefined
  readonly providerActivityId: string | undefined
  readonly commerceExternalId: string
  readonly coreStatus: CoreResultStatus
  /** As it was sent. */
  readonly resultStatus: string
  readonly occurredAt: string
  readonly externalStatus: string | undefined
  readonly isHardOverride: boolean
  readonly rawPayload: unknown
  readonly details: ResultDetails
  /** What to do when no activity is found. */
  readonly unmatched: 'not_found' | 'standalone'
  /** Whether a code that asks for a future date must come with one (documented for the integration family). */
  readonly needsFutureDate: boolean
}

/** Registers a result for its activity, or says why not. */
export const registerResult = (state: RetenState, tenant: Tenant, input: ResultInput): Answer => {
  const refusal = checkDetails(state, tenant, input)
  if (refusal !== undefined) return refusal

  const activity = findActivity(tenant, input)
  if (activity === undefined) return registerUnmatched(state, tenant, input)
  if (activity.commerce.externalId !== input.commerceExternalId && state.switches.commerceMismatch === 'refuse') {
    return refuse(400, `commerce_external_id ${input.commerceExternalId} is not the commerce of the activity`)
  }

  const guarded = checkGuards(state, activity, input)
  if (guarded !== undefined) return guarded

  const result = buildResult(state, input, 'RETEN_ACTIVITY', activity.result)
  count(activity, result)
  activity.result = result
  const next = statusAfter(result.coreStatus)
  if (next !== undefined) {
    tenant.ready.delete(activity)
    recordEvent(state, activity, next, next)
  }
  return created(describeResult(result, activity.id))
}

const checkDetails = (state: RetenState, tenant: Tenant, input: ResultInput): Answer | undefined => {
  const { result, futureScheduledAt, operatorExternalId } = input.details
  const type = result === null ? undefined : tenant.resultTypes.get(result)
  if (result !== null && type === undefined)
    return refuse(400, `task_result.result ${result} is not a known result code`)
  if (type?.requiresFutureScheduledAt === true && input.needsFutureDate) {
    if (futureScheduledAt === null) return refuse(400, `task_result.future_scheduled_at is required for ${type.code}`)
    if (Date.parse(futureScheduledAt) <= state.clock.nowMs()) {
      return refuse(400, 'task_result.future_scheduled_at must be in the future')
    }
  }
  if (!tenant.commercesByExternalId.has(input.commerceExternalId)) {
    return refuse(404, `Commerce with external id ${input.commerceExternalId} not found`)
  }
  if (operatorExternalId !== null && !hasOperator(tenant, operatorExternalId)) {
    if (state.switches.unknownOperator === 'not_found') {
      return refuse(404, `Operator with external id ${operatorExternalId} not found`)
    }
    addPlaceholder(state, tenant, operatorExternalId)
  }
  return undefined
}

// The activity id wins when both are sent (documented); it does not fall back to the other when it is unknown.
const findActivity = (tenant: Tenant, input: ResultInput): Activity | undefined => {
  if (input.activityId !== undefined) return tenant.activities.get(input.activityId.toLowerCase())
  return input.providerActivityId === undefined ? undefined : tenant.byProviderActivityId.get(input.providerActivityId)
}

const registerUnmatched = (state: RetenState, tenant: Tenant, input: ResultInput): Answer => {
  if (input.unmatched === 'not_found') {
    return refuse(404, `Activity ${input.activityId ?? input.providerActivityId ?? ''} not found`)
  }
  const result = buildResult(state, input, 'STANDALONE', undefined)
  tenant.standalone.push({
    commerceExternalId: input.commerceExternalId,
    activityId: input.activityId,
    providerActivityId: input.providerActivityId,
    result,
  })
  return created(describeResult(result, null))
}

const checkGuards = (state: RetenState, activity: Activity, input: ResultInput): Answer | undefined => {
  const { switches } = state
  const conflict = (statusCode: number, message: string): Answer => {
    activity.registrations.conflicts += 1
    return refuse(statusCode, message)
  }
  const stored = activity.result
  if (stored !== undefined && !input.isHardOverride) {
    return conflict(409, 'A result is already registered for this activity')
  }
  // Compared with the time the stored result was written, not with the time it happened; no override skips this.
  if (stored !== undefined && Date.parse(input.occurredAt) <= Date.parse(stored.updatedAt)) {
    return conflict(switches.temporalGuardStatus, 'occurred_at is not after the last update of the stored result')
  }
  if (stored === undefined && !input.isHardOverride && !takesResult(activity, switches.failedTakesResults)) {
    return conflict(switches.transitionGuardStatus, `Activity in status ${activity.status} does not take a result`)
  }
  return undefined
}

// READY takes one: a provider that pulls its work reports without a dispatch.
const takesResult = (activity: Activity, failedTakesResults: 'accept' | 'refuse'): boolean =>
  activity.status === 'READY' ||
  activity.status === 'DISPATCHED' ||
  (activity.status === 'FAILED' && failedTakesResults === 'accept')

const buildResult = (
  state: RetenState,
  input: ResultInput,
  source: ActivityResult['source'],
  replaced: ActivityResult | undefined,
): ActivityResult => {
  const now = state.clock.nowIso()
  return {
    id: replaced?.id ?? state.nextId('result'),
    coreStatus: input.coreStatus,
    resultStatus: input.resultStatus,
    source,
    occurredAt: input.occurredAt,
    externalStatus: input.externalStatus ?? null,
    rawPayload: input.rawPayload ?? null,
    taskDetails: input.details,
    createdAt: replaced?.createdAt ?? now,
    updatedAt: now,
  }
}

const count = (activity: Activity, result: ActivityResult): void => {
  const before = activity.result
  if (result.coreStatus === 'PENDING') activity.registrations.pending += 1
  else activity.registrations.final += 1
  const saysTheSame =
    before !== undefined &&
    before.coreStatus !== 'PENDING' &&
    before.resultStatus === result.resultStatus &&
    before.taskDetails.result === result.taskDetails.result
  if (saysTheSame) activity.registrations.doubled += 1
}

const hasOperator = (tenant: Tenant, externalId: string): boolean => {
  for (const operator of tenant.operators.values()) if (operator.externalId === externalId) return true
  return false
}

const addPlaceholder = (state: RetenState, tenant: Tenant, externalId: string): void => {
  const operator: Operator = {
    id: state.nextId('operator'),
    type: 'SALESMAN',
    name: externalId,
    email: null,
    phone: null,
    externalId,
    isActive: true,
    isPlaceholder: true,
    metadata: {},
  }
  tenant.operators.set(operator.id, operator)
}

const describeResult = (result: ActivityResult, activityId: string | null): Record<string, unknown> => ({
  id: result.id,
  activityId,
  source: result.source,
  resultStatus: result.resultStatus,
  occurredAt: result.occurredAt,
  taskDetails: {
    result: result.taskDetails.result,
    comment: result.taskDetails.comment,
    contactType: result.taskDetails.contactType,
  },
  createdAt: result.createdAt,
  updatedAt: result.updatedAt,
})
