// Results that the provider owes for longer than their connection waits. The whole ledger cannot be asked every few seconds, so
// it is walked slice by slice along the index on seq, and what is found is marked: lists and counts read the marks alone.
import { sql } from 'kysely'
import type { Db } from './database.ts'
import { isEnd } from './result-end.ts'

/** How long a connection waits for a result; one whose provider never reports is not among them. */
export interface OverdueLimit {
  readonly connection: string
  readonly seconds: number
}

export interface OverdueDispatch {
  readonly dispatchId: string
  readonly activityId: string
  readonly connection: string
  readonly deliveredAt: Date
}

export interface OverdueSlice {
  /** Marked now, and by nobody before. */
  readonly marked: readonly OverdueDispatch[]
  /** Where the next slice begins; undefined when this one reached the oldest dispatch. */
  readonly nextBeforeSeq: number | undefined
}

// Tens of milliseconds of index lookups, and mostly for rows that are done and need none.
const SLICE_ROWS = 10_000

/**
 * Marks, among the dispatches just before a seq (without one: the newest), those that were delivered, have no final result, and
 * of which nothing was heard for their connection's time since the latest of delivery, schedule and last word; takes the mark
 * from those that are not overdue any more. Rows that somebody else holds are left for the next walk.
 */
export async function markOverdue(
  db: Db,
  limits: readonly OverdueLimit[],
  beforeSeq?: number,
  sliceRows = SLICE_ROWS,
): Promise<OverdueSlice> {
  const { rows } = await sql<{ seen: number; oldest: number | null; marked: (OverdueDispatch & { at: string })[] }>`
    with slice as materialized (
      select id, seq, connection, activity_id, state, revision, delivered_at, scheduled_at, overdue_at from dispatches
      where seq < ${beforeSeq ?? Number.MAX_SAFE_INTEGER} order by seq desc limit ${sliceRows}
    ), judged as materialized (
      select s.id, s.overdue_at is not null as is_marked, coalesce(
          s.state = 'delivered' and heard.has_final is not true
            and greatest(s.delivered_at, s.scheduled_at, heard.last_at) + make_interval(secs => l.seconds) < now(), false
        ) as is_overdue
      from slice s
      left join unnest(${sql.val(limits.map((limit) => limit.connection))}::text[],
                       ${sql.val(limits.map((limit) => limit.seconds))}::int[]) as l (connection, seconds)
        on l.connection = s.connection
      left join lateral (
        select bool_or(${isEnd('r')}) as has_final, max(r.created_at) as last_at from results r
        where r.dispatch_id = s.id and r.revision = s.revision and s.state = 'delivered') as heard on true
      where s.state = 'delivered' or s.overdue_at is not null
    ), held as materialized (
      select d.id, judged.is_overdue from dispatches d join judged on judged.id = d.id
      where judged.is_overdue <> judged.is_marked and (d.overdue_at is not null) = judged.is_marked
      order by d.id for no key update of d skip locked
    ), changed as (
      update dispatches d set overdue_at = case when held.is_overdue then now() end from held where d.id = held.id
      returning d.id, d.activity_id, d.connection, d.delivered_at, held.is_overdue
    )
    select (select count(*) from slice)::int as seen, (select min(seq) from slice) as oldest,
           coalesce((select json_agg(json_build_object(
             'dispatchId', id, 'activityId', activity_id, 'connection', connection, 'at', delivered_at
           )) from changed where is_overdue), '[]') as marked`.execute(db)
  const [row] = rows
  const marked = (row?.marked ?? []).map(({ at, ...dispatch }) => ({ ...dispatch, deliveredAt: new Date(at) }))
  const isFull = row !== undefined && row.seen === sliceRows
  return { marked, nextBeforeSeq: isFull ? (row.oldest ?? undefined) : undefined }
}

/** Counts the overdue dispatches of each connection that has any; reads the marks alone. */
export async function countOverdue(db: Db): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ connection: string; overdue: number }>`
    select connection, count(*)::int as overdue from dispatches
    where overdue_at is not null and state = 'delivered' group by connection`.execute(db)
  return new Map(rows.map(({ connection, overdue }) => [connection, overdue]))
}
