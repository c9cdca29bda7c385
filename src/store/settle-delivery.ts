// Writing down what became of one delivery: the attempt, the job, the dispatch, and a result with its report job where there
// is one already. Each is one statement, so it is all there or not at all; each names the claim, so a stale worker writes nothing.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { ResultContent } from '../dispatch/result.ts'
import { isFinal } from '../dispatch/result.ts'
import { TRANSITIONS } from '../dispatch/states.ts'
import { insertAttempt } from './attempt.ts'
import type { FinishedAttempt } from './attempt.ts'
import type { Db } from './database.ts'
import { insertResult } from './insert-result.ts'
import { nextState } from './next-state.ts'

/** `stale`: another worker owns the job, nothing was written. */
export type Settled = 'settled' | 'stale'

export interface DeliveredSettlement {
  readonly providerTaskId: string | undefined
  readonly result: ResultContent | undefined
}

/** The provider has it. A job whose dispatch changed meanwhile (another revision) is due again instead of done. */
export async function settleDelivered(
  db: Db,
  attempt: FinishedAttempt,
  settlement: DeliveredSettlement,
): Promise<Settled> {
  const { result } = settlement
  const withResult = result === undefined ? sql`` : sql`, ${insertResult({ source: 'adapter', content: result })}`
  // A final result in the reply proves the delivery like the reply itself does; both lead to the same state.
  const event = result !== undefined && isFinal(result.status) ? TRANSITIONS.final_event : TRANSITIONS.accepted
  return run(
    db,
    sql`
    with ${endJob(attempt)}, attempt as (${insertAttempt(attempt)}),
    target as (
      update dispatches d set
        state = ${nextState(event)},
        provider_task_id = coalesce(${settlement.providerTaskId ?? null}, d.provider_task_id),
        delivered_at = coalesce(d.delivered_at, now())
      from job where d.id = job.dispatch_id
      returning d.id, d.connection, d.type, d.commerce_id, d.seq, d.revision
    ) ${withResult}
    select count(*)::int as settled from job`,
  )
}

/** It ends here: refused or given up, with a reason an operator can read. */
export async function settleFailed(db: Db, attempt: FinishedAttempt, reasonCode: string): Promise<Settled> {
  return run(
    db,
    sql`
    with ${endJob(attempt)}, attempt as (${insertAttempt(attempt)}),
    target as (
      update dispatches d set
        state = ${nextState(TRANSITIONS.gave_up)},
        reason_code = case when d.state = 'received' then ${reasonCode} else d.reason_code end,
        finished_at = case when d.state = 'received' then now() else d.finished_at end
      from job where d.id = job.dispatch_id and d.revision = ${attempt.job.revision}
    )
    select count(*)::int as settled from job`,
  )
}

export interface RetrySettlement {
  readonly delayMs: number
  readonly isCharged: boolean
  readonly isFateUnknown: boolean
}

/** It is tried again later. */
export async function settleRetry(db: Db, attempt: FinishedAttempt, retry: RetrySettlement): Promise<Settled> {
  return run(
    db,
    sql`
    with job as (
      update jobs set leased_until = null, claimed_by = null, is_fate_unknown = ${retry.isFateUnknown}, crashes = 0,
        attempts = attempts + ${retry.isCharged ? 1 : 0}, due_at = now() + make_interval(secs => ${retry.delayMs / 1_000})
      where id = ${attempt.job.id} and claim_no = ${attempt.job.claimNo}
      returning id
    ), attempt as (${insertAttempt(attempt)})
    select count(*)::int as settled from job`,
  )
}

/** It waits for a person, because repeating it might do the work twice. */
export async function settleParked(db: Db, attempt: FinishedAttempt, reason: string): Promise<Settled> {
  return run(
    db,
    sql`
    with job as (
      update jobs set leased_until = null, claimed_by = null, is_fate_unknown = true, parked_reason = ${reason},
        attempts = attempts + 1
      where id = ${attempt.job.id} and claim_no = ${attempt.job.claimNo}
      returning id
    ), attempt as (${insertAttempt(attempt)})
    select count(*)::int as settled from job`,
  )
}

/** The job ends; where the dispatch got another revision meanwhile, it is due again for that one. */
function endJob(attempt: FinishedAttempt): RawBuilder<unknown> {
  const { id, claimNo, revision } = attempt.job
  return sql`ended as (
      delete from jobs where id = ${id} and claim_no = ${claimNo} and revision = ${revision} returning dispatch_id
    ), renewed as (
      update jobs set leased_until = null, claimed_by = null, due_at = now(), is_fate_unknown = false
      where id = ${id} and claim_no = ${claimNo} and revision <> ${revision} returning dispatch_id
    ), job as (
      select dispatch_id from ended union all select dispatch_id from renewed
    )`
}

async function run(db: Db, statement: RawBuilder<{ settled: number }>): Promise<Settled> {
  const { rows } = await statement.execute(db)
  return rows[0]?.settled === 1 ? 'settled' : 'stale'
}
