// The integration list's view of an activity: flat, with external ids and with words of its own.
import type { Activity } from './records.ts'
import { toIntegrationResultStatus, type IntegrationResultStatus } from './result-words.ts'
import type { RetenSwitches } from './switches.ts'

/** The integration list's words for an activity's state. */
export const integrationStatuses = ['PENDING', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED'] as const

/** One of the integration list's words. */
export type IntegrationStatus = (typeof integrationStatuses)[number]

/** Whether dispatching this activity was given up, as opposed to a result that made it FAILED. */
export const isDispatchFailed = (activity: Activity): boolean =>
  activity.status === 'FAILED' && (activity.result === undefined || activity.result.coreStatus === 'PENDING')

/** The list's word for an activity, `undefined` when it is not listed. How the words map is undocumented. */
export const integrationStatusOf = (activity: Activity, switches: RetenSwitches): IntegrationStatus | undefined => {
  switch (activity.status) {
    case 'READY':
    case 'UNRESOLVED':
      return 'PENDING'
    case 'DISPATCHED':
      return 'IN_PROGRESS'
    case 'COMPLETED':
      return 'COMPLETED'
    case 'CANCELED':
      return 'CANCELLED'
    case 'FAILED':
      if (!isDispatchFailed(activity)) return 'COMPLETED'
      return switches.failedInList === 'hidden' ? undefined : switches.failedInList
  }
}

/** The result's word in the list; `undefined` without a result. */
export const integrationResultOf = (activity: Activity): IntegrationResultStatus | undefined =>
  activity.result === undefined ? undefined : toIntegrationResultStatus(activity.result.resultStatus)

/** One row. The fields after `commerceName` are assumptions, taken from the documentation's prose. */
export const describeIntegrationRow = (activity: Activity, switches: RetenSwitches): Record<string, unknown> => {
  const [lifecycleStatus, lifecycleStatusLabel] = lifecycleOf(activity)
  const row = {
    id: activity.id,
    activityOrigin: 'ACTIVITY',
    type: activity.type,
    status: integrationStatusOf(activity, switches) ?? 'PENDING',
    channel: activity.channel,
    scheduledAt: activity.scheduledAt,
    occurredAt: activity.result?.occurredAt ?? null,
    createdAt: activity.createdAt,
    lifecycleStatus,
    lifecycleStatusLabel,
    lifecycleStatusDetail: isDispatchFailed(activity) ? (activity.events.at(-1)?.errorMessage ?? null) : null,
    canForceRetryDispatch: isDispatchFailed(activity),
    commerceExternalId: activity.commerce.externalId,
    commerceName: activity.commerce.name,
  }
  if (!switches.listResultFields) return row
  return {
    ...row,
    operatorExternalId: activity.operator?.externalId ?? null,
    operatorName: activity.operator?.name ?? null,
    providerActivityId: activity.providerActivityId ?? null,
    resultStatus: integrationResultOf(activity) ?? null,
    result: activity.result?.taskDetails.result ?? null,
    comment: activity.result?.taskDetails.comment ?? null,
  }
}

// Only SCHEDULED and its label are documented.
const lifecycleOf = (activity: Activity): readonly [string, string] => {
  switch (activity.status) {
    case 'READY':
      return ['SCHEDULED', 'Programada']
    case 'UNRESOLVED':
      return ['UNRESOLVED', 'Sin resolver']
    case 'DISPATCHED':
      return ['DISPATCHED', 'Despachada']
    case 'COMPLETED':
      return ['COMPLETED', 'Completada']
    case 'CANCELED':
      return ['CANCELLED', 'Cancelada']
    case 'FAILED':
      return isDispatchFailed(activity) ? ['DISPATCH_FAILED', 'Despacho fallido'] : ['COMPLETED', 'Completada']
  }
}
