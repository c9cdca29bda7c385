// Order per commerce, for connections that choose it (`ordering = 'commerce'`): the pieces of SQL that say whose turn it is.
//
//  of the same commerce                          a delivery may begin
//  in flight, whatever its place                 no
//  earlier, due or to be tried later             no
//  earlier, parked                               no, unless it was skipped
//  earlier, failed                               no, unless it was skipped or the connection says `failed_blocks = false`
//  earlier, delivered, canceled, discarded       yes
//
// Earlier is by seq. An earlier dispatch that becomes visible late may find a later one delivered; never one beside it.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'

/** Columns `is_ordered` and `failed_blocks` of a row `c` of connections, which may be absent. */
export function commerceOrder(): RawBuilder<unknown> {
  return sql`coalesce(c.settings ->> 'ordering' = 'commerce', false) as is_ordered,
    coalesce(c.settings ->> 'failed_blocks', 'true') <> 'false' as failed_blocks`
}

/** Whether it is the turn of the job `j`; `order` is a row with the columns above. */
export function isInCommerceTurn(order: 'free' | 'known'): RawBuilder<boolean> {
  const rules = sql.table(order)
  // The head, and not any earlier one: asked for any, PostgreSQL reads the whole table where a commerce has most of the jobs.
  return sql<boolean>`(not ${rules}.is_ordered or not (
    exists (select from (${headOfCommerce(sql`j`)}) as head where head.seq < j.seq)
    or exists (
      select from jobs o
      where o.kind = 'deliver' and o.connection = j.connection and o.commerce_id = j.commerce_id
        and o.seq > j.seq and o.leased_until is not null)
    or ${rules}.failed_blocks and exists (
      select from commerce_blocks b join dispatches d on d.id = b.dispatch_id
      where b.connection = j.connection and b.commerce_id = j.commerce_id
        and b.seq < j.seq and d.state = 'failed')))`
}

/** The earliest unfinished delivery of a commerce that is not passed over; `of` is a row with connection and commerce_id. */
export function headOfCommerce(of: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select o.id, o.seq from jobs o
    where o.kind = 'deliver' and o.connection = ${of}.connection and o.commerce_id = ${of}.commerce_id and not ${isPassedOver('o')}
    order by o.seq limit 1`
}

/** Whether a job holds nothing up: parked, and an operator let the others pass. */
function isPassedOver(job: 'o'): RawBuilder<boolean> {
  const row = sql.table(job)
  return sql<boolean>`(${row}.parked_reason is not null and ${row}.is_skipped)`
}

/** A part of a statement: what the part `failed` names (id, connection, commerce_id, seq) holds up its commerce from now on. */
export function blockCommerces(failed: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    insert into commerce_blocks (dispatch_id, connection, commerce_id, seq)
    select failed.id, failed.connection, failed.commerce_id, failed.seq
    from (${failed}) as failed join (select c.name, ${commerceOrder()} from connections c) as c on c.name = failed.connection
    where c.is_ordered and c.failed_blocks
    on conflict (dispatch_id) do nothing`
}
