// How operators see results: both sides, ours and what Reten's list showed. Facts that follow from the job are told, not stored.
import type { ListedResult } from '../store/list-results.ts'
import { instant } from './show.ts'

/** One row of the list. */
export function showListedResult(row: ListedResult) {
  return {
    id: row.id,
    dispatchId: row.dispatch_id,
    activityId: row.activity_id,
    connection: row.connection,
    dispatchState: row.dispatch_state,
    state: row.state,
    reasonCode: row.reason_code,
    reason: row.reason,
    isHeld: row.state === 'pending' && row.reason_code !== null,
    isOverride: row.is_override,
    ours: {
      source: row.source,
      eventId: row.event_id,
      revision: row.revision,
      status: row.status,
      code: row.code,
      toldCode: row.told_code ?? (row.state === 'reported' ? row.code : null),
      occurredAt: instant(row.occurred_at),
      externalStatus: row.external_status,
      comment: row.comment,
      contactType: row.contact_type,
      operatorExternalId: row.operator_external_id,
      futureScheduledAt: instant(row.future_scheduled_at),
    },
    theirs: row.reten_side,
    retenResultId: row.reten_result_id,
    createdAt: instant(row.created_at),
    settledAt: instant(row.settled_at),
    report: showReport(row),
  }
}

/** What its job says; null once nothing is due any more. */
function showReport(row: ListedResult) {
  if (row.job_due_at === null) return null
  const isRetrying = row.job_attempts !== null && row.job_attempts > 0
  const phase = row.job_leased_until !== null ? 'in_flight' : isRetrying ? 'retrying' : 'waiting'
  return { phase, dueAt: instant(row.job_due_at), attempts: row.job_attempts }
}
