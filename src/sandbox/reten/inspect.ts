import type { Activity } from './records.ts'
import type { RetenState, Tenant } from './state.ts'

/** What happened so far, over one tenant or all of them. */
export interface RetenCounts {
  readonly activities: number
  readonly byStatus: Readonly<Record<string, number>>
  /** Activities sent at least once. */
  readonly dispatched: number
  /** Activities for which a 2xx was read at least once. */
  readonly acknowledged: number
  /** Requests sent, acknowledged, and of the acknowledged those beyond the first of their activity. */
  readonly pushes: number
  readonly acknowledgedPushes: number
  readonly repeatedAcknowledgements: number
  /** Activities whose acknowledgements named different provider ids: one activity taken for two. */
  readonly differingProviderIds: number
  /** Activities with a final result. */
  readonly registered: number
  /** Activities whose result so far is PENDING. */
  readonly pending: number
  /** Accepted results, the replacing ones included. */
  readonly registrations: number
  /** Results registered again with nothing new to say, standalone ones included: 0 unless something is done twice. */
  readonly doubled: number
  /** Results refused because one was there, or by a guard. */
  readonly conflicts: number
  readonly standalone: number
  /** Well-formed requests that reached the integration results endpoint. */
  readonly resultRequests: number
}

/** Counts what happened. */
export const countReten = (state: RetenState, resultRequests: number, only?: Tenant): RetenCounts => {
  const byStatus: Record<string, number> = {}
  const total = {
    activities: 0,
    dispatched: 0,
    acknowledged: 0,
    pushes: 0,
    acknowledgedPushes: 0,
    differingProviderIds: 0,
    registered: 0,
    pending: 0,
    registrations: 0,
    doubled: 0,
    conflicts: 0,
    standalone: 0,
  }
  for (const tenant of only === undefined ? state.tenants.values() : [only]) {
    total.standalone += tenant.standalone.length
    total.doubled += countDoubledStandalone(tenant)
    for (const activity of tenant.activities.values()) {
      const pushes = countPushes(activity)
      total.activities += 1
      byStatus[activity.status] = (byStatus[activity.status] ?? 0) + 1
      total.dispatched += pushes.sent > 0 ? 1 : 0
      total.acknowledged += pushes.acknowledged > 0 ? 1 : 0
      total.pushes += pushes.sent
      total.acknowledgedPushes += pushes.acknowledged
      total.differingProviderIds += pushes.providerIds > 1 ? 1 : 0
      total.registered += activity.result !== undefined && activity.result.coreStatus !== 'PENDING' ? 1 : 0
      total.pending += activity.result?.coreStatus === 'PENDING' ? 1 : 0
      total.registrations += activity.registrations.final + activity.registrations.pending
      total.doubled += activity.registrations.doubled
      total.conflicts += activity.registrations.conflicts
    }
  }
  const repeatedAcknowledgements = total.acknowledgedPushes - total.acknowledged
  return { ...total, byStatus, repeatedAcknowledgements, resultRequests }
}

/** All that happened to one activity, plain enough for JSON. */
export const describeActivityInFull = (activity: Activity): Record<string, unknown> => ({
  id: activity.id,
  tenantId: activity.tenantId,
  type: activity.type,
  channel: activity.channel,
  status: activity.status,
  commerceExternalId: activity.commerce.externalId,
  operatorExternalId: activity.operator?.externalId ?? null,
  scheduledAt: activity.scheduledAt,
  createdAt: activity.createdAt,
  dispatchAttemptCount: activity.dispatchAttemptCount,
  providerActivityId: activity.providerActivityId ?? null,
  pushes: activity.pushes,
  events: activity.events,
  result: activity.result ?? null,
  registrations: activity.registrations,
})

const countPushes = (activity: Activity): { sent: number; acknowledged: number; providerIds: number } => {
  let sent = 0
  let acknowledged = 0
  const providerIds = new Set<string>()
  for (const push of activity.pushes) {
    if (push.outcome !== 'never_sent') sent += 1
    if (push.outcome === 'acknowledged') acknowledged += 1
    // An id in a reply that Reten threw away counts as well: it was given.
    if (push.providerActivityId !== null) providerIds.add(push.providerActivityId)
  }
  return { sent, acknowledged, providerIds: providerIds.size }
}

const countDoubledStandalone = (tenant: Tenant): number => {
  const seen = new Set<string>()
  let doubled = 0
  for (const { activityId, providerActivityId, result } of tenant.standalone) {
    const subject = activityId ?? providerActivityId
    if (subject === undefined || result.coreStatus === 'PENDING') continue
    const saying = JSON.stringify([subject, result.resultStatus, result.taskDetails.result])
    if (seen.has(saying)) doubled += 1
    seen.add(saying)
  }
  return doubled
}
