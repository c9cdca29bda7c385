// Ending a claimed delivery of a dispatch that was cancelled before the try began: after its worker gave it back, or died.
import { sql } from 'kysely'
import { askForCancel, cancellationOf, noteCancellation } from './canceled-delivery.ts'
import type { ClaimedJob } from './claim-jobs.ts'
import type { Db } from './database.ts'
import type { Settled } from './settle-delivery.ts'

/**
 * The delivery of a cancelled dispatch ends without another try. Where the last one may have made a task, the job becomes one
 * that asks the provider to cancel it. `stale` where the dispatch is not cancelled any more, or the job another worker's.
 */
export async function settleCanceled(db: Db, job: ClaimedJob): Promise<Settled> {
  const { rows } = await sql<{ settled: number }>`
    with ledger as materialized (
      select id, state, cancellation, delivered_at from dispatches where id = ${job.dispatchId} and state = 'canceled' for no key update
    ), job as materialized (
      select j.id, j.dispatch_id, true as is_current, ${cancellationOf(job.revision, job.isFateUnknown ? 'is_unknown' : 'is_not_there')}
      from jobs j join ledger on true
      where j.id = ${job.id} and j.claim_no = ${job.claimNo} and j.revision = ${job.revision}
      for update of j
    ), ended as (delete from jobs using job where jobs.id = job.id and not job.is_asked),
    ${askForCancel()}, ${noteCancellation()}
    select count(*)::int as settled from job`.execute(db)
  return rows[0]?.settled === 1 ? 'settled' : 'stale'
}
