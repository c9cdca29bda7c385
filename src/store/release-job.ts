// Giving a job back without charging anybody: our shutdown, or a fault of ours.
import { sql } from 'kysely'
import type { Db } from './database.ts'

export interface Release {
  readonly id: number
  readonly claimNo: number
  readonly delayMs: number
  /** Whether the work may have been done all the same. */
  readonly isFateUnknown: boolean
}

/** Gives a job back; false where the claim is stale and another worker owns the job. */
export async function releaseJob(db: Db, release: Release): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('jobs')
    .set({
      leased_until: null,
      claimed_by: null,
      due_at: sql<Date>`now() + make_interval(secs => ${release.delayMs / 1_000})`,
      is_fate_unknown: sql<boolean>`is_fate_unknown or ${release.isFateUnknown}`,
    })
    .where('id', '=', release.id)
    .where('claim_no', '=', release.claimNo)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}
