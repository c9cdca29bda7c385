// Rows that nothing carries on: there must be none. The whole ledger cannot be asked every few seconds, so it is asked slice
// by slice, from the newest to the oldest, along the index on seq; each slice costs the same on a ledger of any size.
import { sql } from 'kysely'
import type { Db } from './database.ts'

export interface LedgerSlice {
  /** Dispatches of the slice that nothing carries on. */
  readonly unaccounted: number
  /** Where the next slice begins; undefined when this one reached the oldest dispatch. */
  readonly nextBeforeSeq: number | undefined
}

// About 40 ms of index lookups, on a connection that is needed once in ten seconds.
const SLICE_ROWS = 10_000

/**
 * Counts, among the dispatches just before a seq (without one: the newest), those that are received and have no deliver job,
 * those to be cancelled without a job that does, and those with a pending result and no report job. One statement, one snapshot: what a transaction moves is never half seen.
 */
export async function countUnaccounted(db: Db, beforeSeq?: number, sliceRows = SLICE_ROWS): Promise<LedgerSlice> {
  const { rows } = await sql<{ unaccounted: number; seen: number; oldest: number | null }>`
    with slice as materialized (
      select id, seq, state, cancellation from dispatches
      where seq < ${beforeSeq ?? Number.MAX_SAFE_INTEGER} order by seq desc limit ${sliceRows}
    )
    select count(*) as seen, min(seq) as oldest, count(*) filter (where
      (state = 'received' and not exists (select from jobs j where j.dispatch_id = slice.id and j.kind = 'deliver'))
      or (cancellation = 'requested'
        and not exists (select from jobs j where j.dispatch_id = slice.id and j.kind in ('deliver', 'cancel')))
      or exists (
        select from results r where r.dispatch_id = slice.id and r.state = 'pending'
          and not exists (select from jobs j where j.result_id = r.id and j.kind = 'report'))
    ) as unaccounted
    from slice`.execute(db)
  const [row] = rows
  const isFull = row !== undefined && row.seen === sliceRows
  return { unaccounted: row?.unaccounted ?? 0, nextBeforeSeq: isFull ? (row.oldest ?? undefined) : undefined }
}

/**
 * Counts jobs among the oldest that lead nowhere: their dispatch or the result they are to report does not exist. As the backlog
 * moves on, those are the ones that stay.
 */
export async function countStrayJobs(db: Db): Promise<number> {
  const { rows } = await sql<{ stray: number }>`
    select count(*) as stray from (select dispatch_id, result_id from jobs order by id limit ${SLICE_ROWS}) as oldest
    where not exists (select from dispatches d where d.id = oldest.dispatch_id)
      or (result_id is not null and not exists (select from results r where r.id = oldest.result_id))`.execute(db)
  return rows[0]?.stray ?? 0
}

/** Counts all of it at once, over the whole ledger: for tests and for whoever can wait. The backlog is looked at as above. */
export async function countAllUnaccounted(db: Db): Promise<number> {
  let total = await countStrayJobs(db)
  let beforeSeq: number | undefined
  do {
    const slice = await countUnaccounted(db, beforeSeq)
    total += slice.unaccounted
    beforeSeq = slice.nextBeforeSeq
  } while (beforeSeq !== undefined)
  return total
}
