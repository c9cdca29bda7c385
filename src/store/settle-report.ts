// Writing down what became of one report: attempt, job and result in one statement that names the claim and ends it.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { ResultState, RetenSide } from '../dispatch/result.ts'
import { TRANSITIONS } from '../dispatch/states.ts'
import { insertAttempt, storable } from './attempt.ts'
import type { FinishedAttempt } from './attempt.ts'
import type { ClaimedJob } from './claim-jobs.ts'
import type { Db } from './database.ts'
import { endBlocksOfCompleted } from './end-block.ts'
import { nextState } from './next-state.ts'
import type { RetrySettlement, Settled } from './settle-delivery.ts'

export interface ReportedSettlement {
  /** Reten's id of the result; undefined where it was there already. */
  readonly retenResultId: string | undefined
  /** A final result completes its dispatch; one that the service made itself does not. */
  readonly isFinal: boolean
  /** The code it was told with, where result_map made another one of it. */
  readonly toldCode?: string | undefined
  /** What Reten's list showed, where it was read. */
  readonly retenSide?: RetenSide | undefined
}

/** The result stands at Reten. */
export async function settleReported(
  db: Db,
  attempt: FinishedAttempt,
  settlement: ReportedSettlement,
): Promise<Settled> {
  const completed = settlement.isFinal
    ? sql`, completed as (
        update dispatches set state = ${nextState(TRANSITIONS.reported)}, finished_at = now()
        from job where dispatches.id = job.dispatch_id and dispatches.revision = job.revision
          and state in ('delivered', 'failed', 'canceled')
        returning dispatches.id
      ), unblocked as (${endBlocksOfCompleted()})`
    : sql``
  return run(
    db,
    sql`
    with ${endJob(attempt)}, attempt as (${insertAttempt(attempt)}),
    reported as (
      update results set state = 'reported', reason_code = null, reason = null, settled_at = now(), attention_at = null,
        reten_result_id = ${storable(settlement.retenResultId)}, told_code = ${storable(settlement.toldCode)},
        reten_side = ${sideOf(settlement)}
      from job where results.id = job.result_id
    ) ${completed}
    select count(*)::int as settled from job`,
  )
}

export interface EndedSettlement {
  readonly state: Extract<ResultState, 'failed' | 'conflict' | 'unproven'>
  readonly reasonCode: string
  /** For an operator, with Reten's own words. */
  readonly reason: string
  /** What Reten's list showed, where it was read. */
  readonly retenSide?: RetenSide | undefined
}

/** The report ends without the result standing at Reten, as far as we know; an operator sees why. */
export async function settleReportEnded(db: Db, attempt: FinishedAttempt, ended: EndedSettlement): Promise<Settled> {
  return run(
    db,
    sql`
    with ${endJob(attempt)}, attempt as (${insertAttempt(attempt)}),
    ended as (
      update results set state = ${ended.state}, reason_code = ${ended.reasonCode}, reason = ${storable(ended.reason)},
        settled_at = now(), attention_at = now(), reten_side = ${sideOf(ended)}
      from job where results.id = job.result_id
    )
    select count(*)::int as settled from job`,
  )
}

/** The report is tried again later. */
export async function settleReportRetry(db: Db, attempt: FinishedAttempt, retry: RetrySettlement): Promise<Settled> {
  return run(
    db,
    sql`
    with job as (
      update jobs set leased_until = null, claimed_by = null, claim_no = claim_no + 1, is_fate_unknown = ${retry.isFateUnknown},
        crashes = 0,
        attempts = attempts + ${retry.isCharged ? 1 : 0}, due_at = now() + make_interval(secs => ${retry.delayMs / 1_000})
      where id = ${attempt.job.id} and claim_no = ${attempt.job.claimNo}
      returning id
    ), attempt as (${insertAttempt(attempt)})
    select count(*)::int as settled from job`,
  )
}

/** Looked at again after this, for what was changed at Reten: a result type that the tenant has added, say. */
const HELD_FOR_SECONDS = 900

export interface Hold {
  readonly reasonCode: string
  /** For an operator: what is missing. */
  readonly reason: string
}

/**
 * The result is not told as it stands, and is kept until somebody changes a setting: every quarter of an hour it is looked at
 * again, and at once after its connection was changed. Costs no try.
 */
export async function settleHeld(db: Db, job: ClaimedJob, hold: Hold): Promise<Settled> {
  return run(
    db,
    sql`
    with job as (
      update jobs set leased_until = null, claimed_by = null, claim_no = claim_no + 1, crashes = 0,
        due_at = now() + make_interval(secs => ${HELD_FOR_SECONDS})
      where id = ${job.id} and claim_no = ${job.claimNo}
      returning id, result_id
    ), held as (
      update results set reason_code = ${hold.reasonCode}, reason = ${storable(hold.reason)},
        attention_at = coalesce(attention_at, now())
      from job where results.id = job.result_id
    )
    select count(*)::int as settled from job`,
  )
}

/** Reten is not told any more of a PENDING result whose final one is there; where it may have been, that stays unproven. */
export async function settleOvertaken(db: Db, job: ClaimedJob): Promise<Settled> {
  return run(
    db,
    sql`
    with job as (
      delete from jobs where id = ${job.id} and claim_no = ${job.claimNo} returning result_id, is_fate_unknown
    ), overtaken as (
      update results set reason_code = 'superseded', settled_at = now(),
        state = case when job.is_fate_unknown then 'unproven' else 'superseded' end, attention_at = null
      from job where results.id = job.result_id
    )
    select count(*)::int as settled from job`,
  )
}

function sideOf({ retenSide }: { readonly retenSide?: RetenSide | undefined }): RawBuilder<unknown> {
  return sql`${retenSide === undefined ? null : JSON.stringify(retenSide)}::jsonb`
}

function endJob(attempt: FinishedAttempt): RawBuilder<unknown> {
  return sql`job as (
      delete from jobs where id = ${attempt.job.id} and claim_no = ${attempt.job.claimNo}
      returning dispatch_id, result_id, revision
    )`
}

async function run(db: Db, statement: RawBuilder<{ settled: number }>): Promise<Settled> {
  const { rows } = await statement.execute(db)
  return rows[0]?.settled === 1 ? 'settled' : 'stale'
}
