// Writing down what became of asking a provider to cancel a task: attempt, job and dispatch in one statement that names the
// claim and ends it. Lock order, here as everywhere: the dispatch, then its job. A final event that came meanwhile stands; the
// answer is kept as an attempt and changes nothing else.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Cancellation } from '../dispatch/states.ts'
import { TRANSITIONS } from '../dispatch/states.ts'
import { insertAttempt } from './attempt.ts'
import type { FinishedAttempt } from './attempt.ts'
import type { ClaimedJob } from './claim-jobs.ts'
import type { Db } from './database.ts'
import { nextState } from './next-state.ts'
import type { Settled } from './settle-delivery.ts'

export type CancelEnd = Exclude<Cancellation, 'requested'>

/** Nothing is to be asked any more; where the provider cancelled its task, the dispatch is canceled. */
export async function settleCancelEnded(db: Db, attempt: FinishedAttempt, end: CancelEnd): Promise<Settled> {
  const isCanceled = end === 'canceled'
  return run(
    db,
    sql`
    with ${claim(attempt.job)}, ended as (delete from jobs using job where jobs.id = job.id),
    attempt as (${insertAttempt(attempt)}),
    target as (
      update dispatches d set cancellation = ${end},
        state = case when ${isCanceled} then ${nextState(TRANSITIONS.task_canceled)} else state end,
        finished_at = case when ${isCanceled} and state = 'delivered' then now() else finished_at end
      from job where d.id = job.dispatch_id and job.is_wanted
    )
    select count(*)::int as settled from job`,
  )
}

export interface CancelRetry {
  readonly delayMs: number
  readonly isCharged: boolean
}

/** The provider is asked again later; unless that is not wanted any more. */
export async function settleCancelRetry(db: Db, attempt: FinishedAttempt, retry: CancelRetry): Promise<Settled> {
  return run(
    db,
    sql`
    with ${claim(attempt.job)}, attempt as (${insertAttempt(attempt)}),
    over as (delete from jobs using job where jobs.id = job.id and not job.is_wanted),
    again as (
      update jobs set leased_until = null, claimed_by = null, claim_no = claim_no + 1, crashes = 0,
        attempts = attempts + ${retry.isCharged ? 1 : 0}, due_at = now() + make_interval(secs => ${retry.delayMs / 1_000})
      from job where jobs.id = job.id and job.is_wanted
    )
    select count(*)::int as settled from job`,
  )
}

/** The job ends without the provider being asked: its end was told, or the dispatch was asked for again. */
export async function settleCancelOvertaken(db: Db, job: ClaimedJob): Promise<Settled> {
  return run(
    db,
    sql`
    with ${claim(job)}, over as (delete from jobs using job where jobs.id = job.id and not job.is_wanted returning jobs.id)
    select count(*)::int as settled from over`,
  )
}

/** Part `job`: the claimed job under lock, and whether its dispatch, as it stands now, is still to be cancelled. */
function claim(job: ClaimedJob): RawBuilder<unknown> {
  return sql`ledger as materialized (
      select revision, cancellation from dispatches where id = ${job.dispatchId} for no key update
    ), job as materialized (
      select j.id, j.dispatch_id,
             coalesce(ledger.cancellation = 'requested' and ledger.revision = j.revision, false) as is_wanted
      from jobs j left join ledger on true
      where j.id = ${job.id} and j.claim_no = ${job.claimNo}
      for update of j
    )`
}

async function run(db: Db, statement: RawBuilder<{ settled: number }>): Promise<Settled> {
  const { rows } = await statement.execute(db)
  return rows[0]?.settled === 1 ? 'settled' : 'stale'
}
