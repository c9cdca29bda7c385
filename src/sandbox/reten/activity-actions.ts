// What can be done with an activity by hand.
import { noContent, ok, type Answer } from '../answer.ts'
import { describeActivity } from './describe-activity.ts'
import type { ActivityDispatch } from './dispatch-activity.ts'
import { findDispatchConfig } from './dispatch-configs.ts'
import type { Activity } from './records.ts'
import { refuse } from './refuse.ts'
import { retryResolution } from './resolve-activity.ts'
import type { RetenState, Tenant } from './state.ts'
import { recordEvent } from './status-events.ts'

/** Cancels what waits. Once dispatched only a result can cancel; the provider is never told. */
export const cancelActivity = (state: RetenState, tenant: Tenant, id: string): Answer => {
  const activity = tenant.activities.get(id)
  if (activity === undefined) return refuse(404, 'Activity not found')
  if (activity.status !== 'READY' && activity.status !== 'UNRESOLVED') {
    return refuse(400, `Activity in status ${activity.status} cannot be canceled`)
  }
  tenant.ready.delete(activity)
  recordEvent(state, activity, 'CANCELED', 'CANCELED')
  return ok(describeActivity(activity))
}

/** Takes an activity whose dispatch failed and dispatches it again with all its attempts, as Reten's panel can. */
export const forceDispatch = async (
  attempts: ActivityDispatch,
  tenant: Tenant,
  activity: Activity,
): Promise<Answer> => {
  if (activity.status !== 'FAILED') return refuse(400, `Activity in status ${activity.status} cannot be forced`)
  activity.dispatchAttemptCount = 0
  // Without an event: none of the documented ones says this.
  activity.status = 'READY'
  tenant.ready.add(activity)
  return dispatchByHand(attempts, tenant, activity.id)
}

/** One attempt now. The answer does not say whether the provider took it: 204 either way is an assumption. */
export const dispatchByHand = async (attempts: ActivityDispatch, tenant: Tenant, id: string): Promise<Answer> => {
  const activity = tenant.activities.get(id)
  if (activity === undefined) return refuse(404, 'Activity not found')
  if (activity.type !== 'TASK') return refuse(400, 'Activity is not a TASK')
  if (activity.status !== 'READY') return refuse(400, `Activity in status ${activity.status} is not READY`)
  const config = findDispatchConfig(tenant, activity)
  if (config === undefined) return refuse(404, `No dispatch config for channel ${activity.channel}`)
  await attempts.dispatchOne(tenant, activity, config)
  return noContent()
}

/** Tries to resolve an UNRESOLVED activity again. */
export const retryActivity = (state: RetenState, tenant: Tenant, id: string): Answer => {
  const activity = tenant.activities.get(id)
  if (activity === undefined) return refuse(404, 'Activity not found')
  if (activity.status !== 'UNRESOLVED') return refuse(400, `Activity in status ${activity.status} is not UNRESOLVED`)
  retryResolution(state, tenant, activity)
  return ok(describeActivity(activity))
}
