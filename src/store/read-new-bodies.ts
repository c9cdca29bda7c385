// A sample of the bodies that were pushed since the bookmark, for whoever wants to know what bodies look like. Read along the
// ledger's index by connection: of each connection its newest, and all of them together within bounds, so that neither a backlog
// nor one busy connection costs more. What commits behind the bookmark is not looked at: it is a sample.
import { sql } from 'kysely'
import type { Db } from './database.ts'

export interface NewBody {
  readonly connection: string
  readonly activityType: string
  readonly receivedAt: Date
  readonly bytes: Buffer
}

export interface NewBodies {
  /** The bookmark as it was, and where it belongs once these were looked at. */
  readonly fromSeq: number
  readonly toSeq: number
  /** In order of arrival. */
  readonly bodies: readonly NewBody[]
}

/** Bounds of one reading. */
export interface SampleBounds {
  /** How far back in the ledger it is looked for them. */
  readonly rows: number
  readonly perConnection: number
  readonly inAll: number
  /** A larger body is passed over. */
  readonly bodyBytes: number
  readonly bytesInAll: number
}

/** Looked at in some 20 ms of a processor, every ten seconds (0.1 ms a body, measured). */
export const SAMPLE_BOUNDS: SampleBounds = Object.freeze({
  rows: 10_000,
  perConnection: 100,
  inAll: 200,
  bodyBytes: 65_536,
  bytesInAll: 2_097_152,
})

/** Undefined where nothing was pushed since the bookmark. */
export async function readNewBodies(db: Db, bounds: SampleBounds = SAMPLE_BOUNDS): Promise<NewBodies | undefined> {
  const { rows: marks } = await sql<{ fromSeq: number; toSeq: number | null }>`
    select seq as "fromSeq", (select max(seq) from dispatches) as "toSeq" from drift_bookmark`.execute(db)
  const [mark] = marks
  if (mark === undefined || mark.toSeq === null || mark.toSeq <= mark.fromSeq) return undefined
  const { fromSeq, toSeq } = mark
  // Where one connection has most of the ledger the planner walks it by seq for the others too: on a first start, all of it.
  const afterSeq = Math.max(fromSeq, toSeq - bounds.rows)
  // "limit 1" keeps the bodies a look-up by key per row, whatever the planner thinks of their number.
  const { rows: bodies } = await sql<NewBody>`
    with newest as materialized (
      select c.name as connection, d.*
      from connections c cross join lateral (
        select id, seq, type, body_no, body_day, received_at, row_number() over (order by seq desc) as nth from (
          select * from dispatches
          where connection = c.name and seq > ${afterSeq} and seq <= ${toSeq} and origin = 'pushed'
          order by seq desc limit ${bounds.perConnection}) as last
      ) as d
      where c.state <> 'archived'
      order by d.nth limit ${bounds.inAll}
    ), found as (
      select newest.*, b.body, sum(octet_length(b.body)) over (order by newest.nth, newest.seq) as bytes_so_far
      from newest cross join lateral (
        select body from dispatch_bodies
        where dispatch_id = newest.id and body_no = newest.body_no and day = newest.body_day limit 1
      ) as b
      where octet_length(b.body) <= ${bounds.bodyBytes}
    )
    select connection, type as "activityType", received_at as "receivedAt", body as bytes
    from found where bytes_so_far <= ${bounds.bytesInAll} order by seq`.execute(db)
  return { fromSeq, toSeq, bodies }
}
