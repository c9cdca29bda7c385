// What becomes of a delivery that was cancelled while a worker had it, as parts of the statements that settle it.
//
//  the worker's answer              its job                                    cancellation
//  it is not there (refused, later) gone                                       none: nothing is left of it
//    but was delivered before       asks the provider to cancel that           requested
//  it is there (accepted)           asks the provider to cancel it             requested
//  unknown (ambiguous, lease over)  asks the provider, ten seconds later       requested
//  it is done (a final result)      gone                                       too_late
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { isEnd } from './result-end.ts'

/** What the worker's answer says of the provider's task. */
export type Task = 'is_not_there' | 'is_there' | 'is_unknown' | 'is_done'

// A request whose answer was lost may still be carried out: asked at once, the provider would know of nothing to cancel.
export const UNKNOWN_DELAY_SECONDS = 10

/**
 * Columns of a part `job` over the tables `ledger` (the dispatch under lock) and `j` (its job): whether it was cancelled, what
 * there is to note of that, and whether and when the provider has to be asked.
 */
export function cancellationOf(revision: number, task: Task): RawBuilder<unknown> {
  const isCanceled = sql`coalesce(ledger.state = 'canceled', false)`
  const isDone = sql`(${task === 'is_done'} or ledger.cancellation = 'too_late' or exists (
      select from results r where r.dispatch_id = j.dispatch_id and r.revision = ${revision} and ${isEnd('r')}))`
  // A replay delivers again what was delivered before: whatever this try came to, that is still there.
  const isThere = sql`(${task === 'is_there' || task === 'is_unknown'} or ledger.delivered_at is not null)`
  return sql`${isCanceled} as is_canceled,
             ${isCanceled} and ${isThere} and not ${isDone} as is_asked,
             case when ${isDone} then 'too_late' when ${isThere} then 'requested' end as cancellation,
             ${task === 'is_unknown' ? UNKNOWN_DELAY_SECONDS : 0}::int as ask_after_seconds`
}

/** Part `asked`: the job becomes one that asks the provider to cancel; the claim is over. */
export function askForCancel(): RawBuilder<unknown> {
  return sql`asked as (
      update jobs set kind = 'cancel', leased_until = null, claimed_by = null, claim_no = claim_no + 1, parked_reason = null,
        attempts = 0, crashes = 0, due_at = now() + make_interval(secs => job.ask_after_seconds)
      from job where jobs.id = job.id and job.is_current and job.is_asked
    )`
}

/** Part `noted`: what there is to note of the cancellation. */
export function noteCancellation(): RawBuilder<unknown> {
  return sql`noted as (
      update dispatches d set cancellation = job.cancellation
      from job where d.id = job.dispatch_id and job.is_current and job.is_canceled
    )`
}
