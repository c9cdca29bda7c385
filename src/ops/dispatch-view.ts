// How operators see dispatches: camelCase, ISO 8601, null for absent. Facts that follow from the job are told, not stored.
import { idempotencyKey } from '../dispatch/identity.ts'
import type { StoredBody } from '../store/load-dispatch-bodies.ts'
import type { ListedDispatch } from '../store/list-dispatches.ts'
import type { LoadedDispatch } from '../store/load-dispatch.ts'
import { instant, showBytes } from './show.ts'

/** One row of the list. */
export function showDispatch(row: ListedDispatch) {
  return {
    id: row.id,
    activityId: row.activity_id,
    connection: row.connection,
    type: row.type,
    channel: row.channel,
    commerceId: row.commerce_id,
    operatorId: row.operator_id,
    scheduledAt: instant(row.scheduled_at),
    state: row.state,
    reasonCode: row.reason_code,
    origin: row.origin,
    revision: row.revision,
    idempotencyKey: idempotencyKey(row.id, row.revision),
    repeats: row.repeats,
    changedBodies: row.changed_bodies,
    providerTaskId: row.provider_task_id,
    cancellation: row.cancellation,
    receivedAt: instant(row.received_at),
    deliveredAt: instant(row.delivered_at),
    finishedAt: instant(row.finished_at),
    overdueAt: instant(row.overdue_at),
    delivery: showDelivery(row),
  }
}

/** Everything about one dispatch; what went over the wire only for those who may see bodies. */
export function showWholeDispatch(loaded: LoadedDispatch, mayShowBodies: boolean) {
  return {
    ...showDispatch(loaded.dispatch),
    jobs: loaded.jobs.map(showJob),
    attempts: loaded.attempts.map((attempt) => showAttempt(attempt, mayShowBodies)),
    results: loaded.results.map(showResult),
    audit: loaded.audit.map(showEntry),
  }
}

/** A body as it was received: text where it is UTF-8, base64 where it is not. */
export function showBody(body: StoredBody) {
  return {
    no: body.no,
    isCurrent: body.isCurrent,
    receivedAt: instant(body.receivedAt),
    sha256: body.sha256,
    headers: body.headers,
    ...showBytes(body.bytes),
  }
}

/** What the deliver job says, where there is one; null once nothing is due any more. */
function showDelivery(row: ListedDispatch) {
  if (row.job_id === null) return null
  return {
    phase: deliveryPhase(row),
    dueAt: instant(row.job_due_at),
    attempts: row.job_attempts,
    parkedReason: row.job_parked_reason,
  }
}

function deliveryPhase(row: ListedDispatch): 'parked' | 'in_flight' | 'retrying' | 'waiting' {
  if (row.job_parked_reason !== null) return 'parked'
  if (row.job_leased_until !== null) return 'in_flight'
  return row.job_attempts !== null && row.job_attempts > 0 ? 'retrying' : 'waiting'
}

function showJob(job: LoadedDispatch['jobs'][number]) {
  return {
    id: job.id,
    kind: job.kind,
    resultId: job.result_id,
    revision: job.revision,
    dueAt: instant(job.due_at),
    leasedUntil: instant(job.leased_until),
    claimedBy: job.claimed_by,
    claimNo: job.claim_no,
    attempts: job.attempts,
    crashes: job.crashes,
    isFateUnknown: job.is_fate_unknown,
    parkedReason: job.parked_reason,
  }
}

function showAttempt(attempt: LoadedDispatch['attempts'][number], mayShowBodies: boolean) {
  return {
    kind: attempt.kind,
    number: attempt.number,
    claimNo: attempt.claim_no,
    resultId: attempt.result_id,
    startedAt: instant(attempt.started_at),
    durationMs: attempt.duration_ms,
    outcome: attempt.outcome,
    httpStatus: attempt.http_status,
    errorCode: attempt.error_code,
    errorMessage: attempt.error_message,
    worker: attempt.worker,
    ...(mayShowBodies ? { request: attempt.request_excerpt, response: attempt.response_excerpt } : {}),
  }
}

function showResult(result: LoadedDispatch['results'][number]) {
  return {
    id: result.id,
    source: result.source,
    eventId: result.event_id,
    revision: result.revision,
    status: result.status,
    code: result.code,
    occurredAt: instant(result.occurred_at),
    externalStatus: result.external_status,
    comment: result.comment,
    contactType: result.contact_type,
    operatorExternalId: result.operator_external_id,
    futureScheduledAt: instant(result.future_scheduled_at),
    state: result.state,
    reasonCode: result.reason_code,
    reason: result.reason,
    retenResultId: result.reten_result_id,
    toldCode: result.told_code,
    isOverride: result.is_override,
    retenSide: result.reten_side,
    createdAt: instant(result.created_at),
    settledAt: instant(result.settled_at),
  }
}

function showEntry(entry: LoadedDispatch['audit'][number]) {
  return {
    at: instant(entry.at),
    actor: entry.actor,
    action: entry.action,
    reason: entry.reason,
    requestId: entry.request_id,
    detail: entry.detail,
  }
}
