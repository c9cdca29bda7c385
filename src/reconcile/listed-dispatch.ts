// From a row of Reten's list to a dispatch as the inbox stores it. The row is the body: thin beside what is pushed, and in Reten's
// own spelling, so the connection's field_paths say nothing of it.
import type { Connection } from '../connection.ts'
import { computeDispatchId } from '../dispatch/identity.ts'
import { readActivity } from '../dispatch/read-activity.ts'
import { describeFault } from '../schemas.ts'
import type { RetenTaskRow } from '../schema-types.ts'
import type { NewDispatch } from '../store/insert-dispatches.ts'

export type ListedDispatch =
  { readonly kind: 'read'; readonly dispatch: NewDispatch } | { readonly kind: 'unreadable'; readonly why: string }

/** Reads a row as an activity. */
export function readListedDispatch(connection: Pick<Connection, 'name'>, row: RetenTaskRow): ListedDispatch {
  const reading = readActivity({ ...row }, undefined)
  if (reading.kind !== 'read') {
    return { kind: 'unreadable', why: reading.faults.map((fault) => describeFault('row', fault)).join(', ') }
  }
  const { activity } = reading
  const dispatch = {
    id: computeDispatchId(connection.name, activity.activityId),
    connection: connection.name,
    activityId: activity.activityId,
    type: activity.type,
    channel: activity.channel,
    commerceId: activity.commerceExternalId,
    operatorId: activity.operatorExternalId,
    scheduledAt: activity.scheduledAt,
    origin: 'reconciled' as const,
    isForUs: true,
    headers: {},
    body: Buffer.from(JSON.stringify(row)),
  }
  return { kind: 'read', dispatch }
}
