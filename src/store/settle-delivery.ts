// Writing down what became of one delivery: the attempt, the job, the dispatch, and a result with its report job where there
// is one already. Each is one statement, so it is all there or not at all; each names the claim and ends it, so a stale worker
// writes nothing and nobody writes twice.
//
// Lock order, here as everywhere: the dispatch, then its job. Both are locked before anything is decided, so what is decided
// by is what stands there now: another revision (the body changed meanwhile) makes the job due again for that one, and a
// final event of the provider's (it proves what this try left open) ends it. Where it was cancelled meanwhile, the job goes, or
// becomes one that asks the provider to cancel what may exist; cancel-dispatch.ts says who wins.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { ResultContent } from '../dispatch/result.ts'
import { isFinal } from '../dispatch/result.ts'
import { TRANSITIONS } from '../dispatch/states.ts'
import { insertAttempt, storable } from './attempt.ts'
import type { FinishedAttempt } from './attempt.ts'
import { askForCancel, cancellationOf, noteCancellation } from './canceled-delivery.ts'
import type { Task } from './canceled-delivery.ts'
import type { ClaimedJob } from './claim-jobs.ts'
import { completeReported } from './complete-reported.ts'
import { blockCommerces } from './commerce-order.ts'
import type { Db } from './database.ts'
import { insertResult } from './insert-result.ts'
import type { NewResult } from './insert-result.ts'
import { nextState } from './next-state.ts'
import { isEnd } from './result-end.ts'

/** `stale`: another worker owns the job, nothing was written. */
export type Settled = 'settled' | 'stale'

/** `canceled`: settled, and the dispatch was cancelled meanwhile; the provider may have to be asked now. */
export type DeliverySettled = Settled | 'canceled'

export interface DeliveredSettlement {
  readonly providerTaskId: string | undefined
  readonly result: ResultContent | undefined
  /** Told where there is no result: the service's own word that the provider has it. */
  readonly acknowledgement?: ResultContent | undefined
}

/** The provider has it. Where Reten has the final result already, as after a replay, that completes it. */
export async function settleDelivered(
  db: Db,
  attempt: FinishedAttempt,
  settlement: DeliveredSettlement,
): Promise<DeliverySettled> {
  const { result } = settlement
  const told = toldBy(settlement)
  const withResult = told === undefined ? sql`` : sql`, ${insertResult(told)}`
  // A final result in the reply proves the delivery like the reply itself does; both lead to the same state.
  const isDone = result !== undefined && isFinal(result.status)
  const event = isDone ? TRANSITIONS.final_event : TRANSITIONS.accepted
  const { rows } = await sql<SettledRow & { has_results: boolean }>`
    with ${claim(attempt, isDone ? 'is_done' : 'is_there')}, ${endJob()}, attempt as (${insertAttempt(attempt)}),
    target as (
      update dispatches d set
        state = case when not job.is_current then state when job.is_reported then 'completed' else ${nextState(event)} end,
        finished_at = case when job.is_current and job.is_reported then now() else d.finished_at end,
        provider_task_id = coalesce(${storable(settlement.providerTaskId)}, d.provider_task_id),
        provider_task_revision = case when ${settlement.providerTaskId !== undefined} then ${attempt.job.revision}::int
                                   else d.provider_task_revision end,
        delivered_at = coalesce(d.delivered_at, now()),
        cancellation = case when job.is_current and job.is_canceled then job.cancellation else d.cancellation end
      from job where d.id = job.dispatch_id
      returning d.id, d.connection, d.type, d.commerce_id, d.seq, ${attempt.job.revision}::int as revision
    ) ${withResult}
    select ${settledCount()},
           exists (select from results where dispatch_id = ${attempt.job.dispatchId}) as has_results
    from job`.execute(db)
  const [row] = rows
  if (row?.has_results === true) await completeReported(db, attempt.job.dispatchId)
  return toSettled(row)
}

function toldBy({ result, acknowledgement }: DeliveredSettlement): NewResult | undefined {
  if (result !== undefined) return { source: 'adapter', content: result }
  return acknowledgement === undefined ? undefined : { source: 'service', content: acknowledgement }
}

/** It ends here: refused or given up, with a reason an operator can read; `result` is what Reten is told of that. */
export async function settleFailed(
  db: Db,
  attempt: FinishedAttempt,
  reasonCode: string,
  result?: ResultContent,
): Promise<DeliverySettled> {
  const withResult = result === undefined ? sql`` : sql`, ${insertResult({ source: 'service', content: result })}`
  return run(
    db,
    sql`
    with ${claim(attempt, 'is_not_there')}, ${endJob()}, ${noteCancellation()}, attempt as (${insertAttempt(attempt)}),
    target as (
      update dispatches d set state = ${nextState(TRANSITIONS.gave_up)}, reason_code = ${storable(reasonCode)}, finished_at = now()
      from job where d.id = job.dispatch_id and job.is_current and d.state = 'received'
      returning d.id, d.connection, d.type, d.commerce_id, d.seq, d.revision
    ), blocked as (${blockCommerces(sql`select id, connection, commerce_id, seq from target`)}) ${withResult}
    select ${settledCount()} from job`,
  )
}

export interface RetrySettlement {
  readonly delayMs: number
  readonly isCharged: boolean
  readonly isFateUnknown: boolean
  /** Whether it ended with the credentials at fault; default false. */
  readonly isRefusal?: boolean
}

/** It is tried again later. */
export async function settleRetry(db: Db, attempt: FinishedAttempt, retry: RetrySettlement): Promise<DeliverySettled> {
  return settleUndone(
    db,
    attempt,
    retry.isFateUnknown ? 'is_unknown' : 'is_not_there',
    // A job that was never tried in earnest is a replay's, made after the final event: it is carried out all the same.
    attempt.job.attempts > 0 || retry.isCharged || retry.isFateUnknown,
    sql`is_fate_unknown = ${retry.isFateUnknown}, crashes = 0, attempts = attempts + ${retry.isCharged ? 1 : 0},
        refusals = refusals + ${retry.isRefusal === true ? 1 : 0}, due_at = now() + make_interval(secs => ${retry.delayMs / 1_000})`,
  )
}

/** It waits for a person, because repeating it might do the work twice. */
export async function settleParked(db: Db, attempt: FinishedAttempt, reason: string): Promise<DeliverySettled> {
  const park = sql`is_fate_unknown = true, parked_reason = ${storable(reason)}, is_skipped = false, attempts = attempts + 1`
  return settleUndone(db, attempt, 'is_unknown', true, park)
}

/**
 * The job ends without another try, where an event of the provider's proved an earlier one; `stale` where it did not, or
 * where it is another worker's by now.
 */
export async function settleProven(db: Db, job: ClaimedJob): Promise<Settled> {
  const { rows } = await sql<{ settled: number }>`
    with proven as (
      delete from jobs where id = ${job.id} and claim_no = ${job.claimNo} and revision = ${job.revision}
        and exists (select from dispatches d where d.id = ${job.dispatchId} and d.state <> 'received')
      returning id
    )
    select count(*)::int as settled from proven`.execute(db)
  return rows[0]?.settled === 1 ? 'settled' : 'stale'
}

/** The job stays as `change` says; unless the body changed meanwhile, or a final event proved what the try left open. */
function settleUndone(
  db: Db,
  attempt: FinishedAttempt,
  task: Task,
  isEndedByProof: boolean,
  change: RawBuilder<unknown>,
): Promise<DeliverySettled> {
  return run(
    db,
    sql`
    with ${claim(attempt, task)}, attempt as (${insertAttempt(attempt)}), ${renewJob()}, ${noteCancellation()},
    fate as materialized (
      select job.id, job.is_canceled or (job.is_proven and ${isEndedByProof}) as is_over from job where job.is_current
    ), over as (
      delete from jobs using job, fate where jobs.id = fate.id and job.id = fate.id and fate.is_over and not job.is_asked
    ), ${askForCancel()}, kept as (
      update jobs set leased_until = null, claimed_by = null, claim_no = claim_no + 1, ${change}
      from fate where jobs.id = fate.id and not fate.is_over
    )
    select ${settledCount()} from job`,
  )
}

/** Part `job`: the claimed job under lock, nothing where the claim is stale, and what is known of its dispatch by now. */
function claim({ job }: FinishedAttempt, task: Task): RawBuilder<unknown> {
  return sql`ledger as materialized (
      select id, state, revision, cancellation, delivered_at from dispatches where id = ${job.dispatchId} for no key update
    ), job as materialized (
      select j.id, j.dispatch_id, j.revision = ${job.revision} as is_current,
             coalesce(ledger.state not in ('received', 'canceled'), false) as is_proven, ${cancellationOf(job.revision, task)},
             exists (
               select from results r where r.dispatch_id = j.dispatch_id and r.revision = j.revision
                 and r.state = 'reported' and ${isEnd('r')}
             ) as is_reported
      from jobs j left join ledger on true
      where j.id = ${job.id} and j.claim_no = ${job.claimNo}
      for update of j
    )`
}

/** The job ends; where the dispatch got another revision meanwhile, it is due for that one. */
function endJob(): RawBuilder<unknown> {
  return sql`ended as (delete from jobs using job where jobs.id = job.id and job.is_current and not job.is_asked),
    ${askForCancel()}, ${renewJob()}`
}

function renewJob(): RawBuilder<unknown> {
  return sql`renewed as (
      update jobs set leased_until = null, claimed_by = null, claim_no = claim_no + 1, due_at = now(), is_fate_unknown = false
      from job where jobs.id = job.id and not job.is_current
    )`
}

interface SettledRow {
  readonly settled: number
  readonly is_canceled: boolean
}

function settledCount(): RawBuilder<unknown> {
  return sql`count(*)::int as settled, coalesce(bool_or(job.is_canceled), false) as is_canceled`
}

async function run(db: Db, statement: RawBuilder<SettledRow>): Promise<DeliverySettled> {
  const { rows } = await statement.execute(db)
  return toSettled(rows[0])
}

function toSettled(row: SettledRow | undefined): DeliverySettled {
  if (row?.settled !== 1) return 'stale'
  return row.is_canceled ? 'canceled' : 'settled'
}
