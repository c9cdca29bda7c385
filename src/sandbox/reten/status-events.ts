import type { Activity, ActivityStatus } from './records.ts'
import type { RetenState } from './state.ts'

/** What a status event says went wrong. */
export interface EventFault {
  readonly code: string
  readonly message: string
}

/** Moves an activity and writes the event that says so; the status may stay what it was. */
export const recordEvent = (
  state: RetenState,
  activity: Activity,
  eventType: string,
  toStatus: ActivityStatus = activity.status,
  fault?: EventFault,
): void => {
  const occurredAt = state.clock.nowIso()
  activity.events.push({
    id: state.nextId('status-event'),
    eventType,
    fromStatus: activity.events.length === 0 ? null : activity.status,
    toStatus,
    errorCode: fault?.code ?? null,
    errorMessage: fault?.message ?? null,
    occurredAt,
  })
  activity.status = toStatus
  activity.updatedAt = occurredAt
}
