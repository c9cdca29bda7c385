// The statement behind every acknowledgement: body, ledger row and deliver job of up to 64 dispatches, in one commit.
//
// - Rows are sorted by id and each id stands once: two statements that insert the same ids in opposite orders would
//   deadlock, even with "do nothing".
// - seq follows the order of arrival, not the order of ids: it is drawn before the rows are sorted.
// - All bodies travel as one binary parameter and are cut out of it in the database: an array of bytea would be sent as
//   hexadecimal text, twice the size, and escaped byte by byte.
import { CompiledQuery } from 'kysely'
import type { Db } from './database.ts'

/** A dispatch to store. Instants are ISO 8601. */
export interface NewDispatch {
  readonly id: string
  readonly connection: string
  readonly activityId: string
  readonly type: string
  readonly channel: string | undefined
  readonly commerceId: string
  readonly operatorId: string | undefined
  readonly scheduledAt: string | undefined
  readonly origin: 'pushed' | 'reconciled'
  /** False: its channel is not delivered by this connection; it is stored and marked, and nothing is due. */
  readonly isForUs: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

const INSERT_DISPATCHES = `-- prepared as insert_dispatches
with input as materialized (
  select nextval('dispatches_seq') as seq, i.*, substring($12::bytea from i.body_start for i.body_length) as body
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
              $9::text[], $10::boolean[], $11::text[], $13::int[], $14::int[])
    as i (id, connection, activity_id, type, channel, commerce_id, operator_id, scheduled_at,
          origin, is_for_us, headers, body_start, body_length)
), today as (
  select (now() at time zone 'utc')::date as day
), ledger as (
  insert into dispatches (id, seq, connection, activity_id, type, channel, commerce_id, operator_id, scheduled_at,
                          state, reason_code, finished_at, origin, body_day, body_sha256)
  select id, seq, connection, activity_id, type, channel, commerce_id, operator_id, scheduled_at,
         case when is_for_us then 'received' else 'discarded' end,
         case when is_for_us then null else 'not_for_us' end,
         case when is_for_us then null else now() end,
         origin, day, sha256(body)
  from input, today order by id
  on conflict (id) do nothing
  returning id
), bodies as (
  insert into dispatch_bodies (day, dispatch_id, body_no, sha256, headers, body)
  select day, id, 0, sha256(body), headers::json, body from ledger join input using (id), today
), due as (
  insert into jobs (kind, connection, dispatch_id, commerce_id, seq)
  select 'deliver', connection, id, commerce_id, seq from ledger join input using (id) where is_for_us order by seq
)
select id from ledger`

/**
 * Stores dispatches whose ids are distinct; answers the ids that were new. An id that is there already is left alone.
 * Committed when it resolves. Throws PostgreSQL's errors as they are: the inbox tells them apart.
 */
export async function insertDispatches(db: Db, rows: readonly NewDispatch[]): Promise<ReadonlySet<string>> {
  const starts: number[] = []
  let next = 1 // substring() counts from one
  for (const row of rows) {
    starts.push(next)
    next += row.body.length
  }
  const parameters = [
    rows.map((row) => row.id),
    rows.map((row) => row.connection),
    rows.map((row) => row.activityId),
    rows.map((row) => row.type),
    rows.map((row) => row.channel ?? null),
    rows.map((row) => row.commerceId),
    rows.map((row) => row.operatorId ?? null),
    rows.map((row) => row.scheduledAt ?? null),
    rows.map((row) => row.origin),
    rows.map((row) => row.isForUs),
    rows.map((row) => JSON.stringify(row.headers)),
    Buffer.concat(rows.map((row) => row.body)),
    starts,
    rows.map((row) => row.body.length),
  ]
  const { rows: inserted } = await db.executeQuery<{ id: string }>(CompiledQuery.raw(INSERT_DISPATCHES, parameters))
  return new Set(inserted.map((row) => row.id))
}
