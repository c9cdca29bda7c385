import type { Task } from './records.ts'
import type { YomState } from './state.ts'

/** What happened so far. */
export interface YomCounts {
  readonly taskRequests: number
  readonly tasks: number
  readonly byStatus: Readonly<Record<string, number>>
  /** Different ids of ours that tasks were made for. */
  readonly externalIds: number
  /** Tasks beyond the first for one id of ours, cancelled ones left out: 0 unless something is done twice. */
  readonly doubled: number
  /** Requests answered with a task that was there, by its idempotency key. */
  readonly repeats: number
  readonly lookups: number
  readonly tokensGranted: number
  readonly webhookSends: number
  readonly eventsDelivered: number
  readonly eventsGivenUp: number
  readonly eventsWaiting: number
}

/** Counts what happened. */
export const countYom = (state: YomState): YomCounts => {
  const byStatus: Record<string, number> = {}
  const events = { delivered: 0, given_up: 0, waiting: 0 }
  for (const task of state.tasks.values()) {
    byStatus[task.status] = (byStatus[task.status] ?? 0) + 1
    for (const event of task.events) events[event.state] += 1
  }
  let doubled = 0
  for (const alike of state.byExternalId.values()) {
    doubled += Math.max(0, alike.filter((task) => task.status !== 'CANCELLED').length - 1)
  }
  return {
    ...state.totals,
    tasks: state.tasks.size,
    byStatus,
    externalIds: state.byExternalId.size,
    doubled,
    eventsDelivered: events.delivered,
    eventsGivenUp: events.given_up,
    eventsWaiting: events.waiting,
  }
}

/** All that happened to one task, plain enough for JSON. */
export const describeTaskInFull = (task: Task): Record<string, unknown> => ({
  internalTaskId: task.internalTaskId,
  externalId: task.externalId,
  activityId: task.activityId ?? null,
  idempotencyKey: task.idempotencyKey ?? null,
  commerceId: task.commerceId,
  sellerId: task.sellerId,
  status: task.status,
  outcome: task.outcome ?? null,
  repeats: task.repeats,
  createdAt: task.createdAt,
  updatedAt: task.updatedAt,
  body: task.body,
  events: task.events,
})
