// Commerces whose deliveries wait for a dispatch that failed, is parked or is to be tried later, on connections that keep the
// order per commerce. Read from what holds up, which is little: never from the ledger, and never from all that waits.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { commerceOrder } from './commerce-order.ts'
import type { Db } from './database.ts'

/** `failed` and `parked` wait for a person, `retrying` for its next try. */
export type BlockReason = 'failed' | 'parked' | 'retrying'

export interface BlockedCommerce {
  readonly connection: string
  readonly commerceId: string
  /** The dispatch that is waited for: the earliest one that holds up. */
  readonly dispatchId: string
  readonly activityId: string
  readonly seq: number
  readonly reason: BlockReason
  /** Why it failed or is parked. */
  readonly reasonCode: string | null
  readonly retryAt: Date | null
  /** When it came to hold up: the end of its last try. */
  readonly since: Date
  /** Deliveries of the commerce that wait for it. */
  readonly waiting: number
}

export interface BlockedFilter {
  readonly connection?: string | undefined
  /** Only what is waited for and arrived after this one. */
  readonly afterSeq?: number | undefined
  readonly limit: number
}

/** At most `limit` blocked commerces, those whose blocker arrived first at the top. */
export async function listBlocked(db: Db, filter: BlockedFilter): Promise<readonly BlockedCommerce[]> {
  const { connection, afterSeq, limit } = filter
  const { rows } = await sql<BlockedCommerce>`
    with ${blocked(connection === undefined ? sql`` : sql`and c.name = ${connection}`)},
    page as materialized (select * from blocked where seq > ${afterSeq ?? -1} order by seq limit ${limit})
    select page.connection, page.commerce_id as "commerceId", page.dispatch_id as "dispatchId",
           d.activity_id as "activityId", page.seq, page.reason,
           coalesce(page.parked_reason, d.reason_code) as "reasonCode", page.retry_at as "retryAt",
           coalesce(case when page.reason = 'failed' then d.finished_at end, (
             select max(a.started_at + make_interval(secs => a.duration_ms / 1000.0)) from attempts a
             where a.dispatch_id = d.id and a.kind = 'deliver'), d.received_at) as since,
           (select count(*) from jobs w
            where w.kind = 'deliver' and w.connection = page.connection and w.commerce_id = page.commerce_id
              and w.seq > page.seq) as waiting
    from page join dispatches d on d.id = page.dispatch_id
    order by page.seq`.execute(db)
  return rows
}

/** How many commerces wait, by connection; a connection where none does has no entry. */
export async function countBlocked(db: Db): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ connection: string; blocked: number }>`
    with ${blocked(sql``)} select connection, count(*) as blocked from blocked group by connection`.execute(db)
  return new Map(rows.map((row) => [row.connection, row.blocked]))
}

/** Part `blocked`: of each commerce where something waits, the earliest dispatch that holds up. */
function blocked(isAsked: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    ordered as materialized (
      select rules.* from (select c.name, ${commerceOrder()} from connections c where c.state <> 'archived' ${isAsked}) as rules
      where rules.is_ordered
    ), blockers as (
      select b.connection, b.commerce_id, b.seq, b.dispatch_id, 'failed' as reason,
             null as parked_reason, null::timestamptz as retry_at
      from ordered join commerce_blocks b on b.connection = ordered.name join dispatches d on d.id = b.dispatch_id
      where ordered.failed_blocks and d.state = 'failed'
      union all
      select j.connection, j.commerce_id, j.seq, j.dispatch_id, 'parked', j.parked_reason, null
      from ordered join jobs j on j.connection = ordered.name
      where j.kind = 'deliver' and j.parked_reason is not null and not j.is_skipped
      union all
      select j.connection, j.commerce_id, j.seq, j.dispatch_id, 'retrying', null, j.due_at
      from ordered join jobs j on j.connection = ordered.name
      where j.kind = 'deliver' and j.leased_until is null and j.parked_reason is null and j.due_at > now()
    ), blocked as (
      select distinct on (connection, commerce_id) * from blockers
      where exists (
        select from jobs w
        where w.kind = 'deliver' and w.connection = blockers.connection and w.commerce_id = blockers.commerce_id
          and w.seq > blockers.seq)
      order by connection, commerce_id, seq
    )`
}
