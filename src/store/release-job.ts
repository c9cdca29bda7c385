// Giving a job back without charging anybody: our shutdown, or a fault of ours.
import { sql } from 'kysely'
import type { ClaimedJob } from './claim-jobs.ts'
import { giveTokenBack } from './connection-budgets.ts'
import type { Db } from './database.ts'

export interface Release {
  readonly id: number
  readonly claimNo: number
  readonly revision: number
  readonly delayMs: number
  /** Whether the work may have been done all the same. */
  readonly isFateUnknown: boolean
}

/**
 * Gives a job back; false where the claim is stale and another worker owns the job. Where the body changed meanwhile, the job is
 * due at once for that one, and what became of the body before does not matter to it.
 */
export async function releaseJob(db: Db, release: Release): Promise<boolean> {
  const isCurrent = sql<boolean>`revision = ${release.revision}`
  const { numUpdatedRows } = await db
    .updateTable('jobs')
    .set({
      leased_until: null,
      claimed_by: null,
      claim_no: sql<number>`claim_no + 1`, // the claim is over: whoever made it settles nothing any more
      // Said to be a fraction: beside a whole number PostgreSQL takes the parameter for one, and refuses 1.5.
      due_at: sql<Date>`
        now() + make_interval(secs => case when ${isCurrent} then ${release.delayMs / 1_000}::float8 else 0 end)`,
      is_fate_unknown: sql<boolean>`${isCurrent} and (is_fate_unknown or ${release.isFateUnknown})`,
    })
    .where('id', '=', release.id)
    .where('claim_no', '=', release.claimNo)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** A claim that nothing was done with. */
export type Unbegun = Pick<ClaimedJob, 'id' | 'claimNo' | 'revision' | 'connection' | 'kind'>

/** Gives back a job that nothing was done with, and the token it took; due again after `delayMs`. */
export async function releaseUnbegunJob(db: Db, job: Unbegun, delayMs: number): Promise<void> {
  if (await releaseJob(db, { ...job, delayMs, isFateUnknown: false })) await giveTokenBack(db, job)
}

/** Gives back what was claimed and not begun, where that can be done; what cannot is found once its lease has expired. */
export async function releaseUnbegun(db: Db, jobs: readonly Unbegun[]): Promise<void> {
  await Promise.allSettled(jobs.map((job) => releaseUnbegunJob(db, job, 1_000)))
}
