// Which commerces have a delivery that may begin, for connections that keep the order per commerce and have more due than a look
// by time takes in. A loose index scan steps from one commerce to the next, so that the cost follows the number of commerces that
// have something, and not what waits behind the first of each.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { commerceOrder, headOfCommerce, isInCommerceTurn } from './commerce-order.ts'
import type { Db } from './database.ts'

/** How many commerces are named at once: each is looked up again under the connection's row lock. */
export const COMMERCES_NAMED = 200

/** Answers up to COMMERCES_NAMED commerces with a delivery that is due and in turn, from behind `after` on and then around. */
export async function findCommercesInTurn(db: Db, connection: string, after?: string): Promise<readonly string[]> {
  if (after === undefined) return findBetween(db, connection, sql`true`, COMMERCES_NAMED)
  const behind = await findBetween(db, connection, sql`o.commerce_id > ${after}`, COMMERCES_NAMED)
  const left = COMMERCES_NAMED - behind.length
  if (left === 0) return behind
  return [...behind, ...(await findBetween(db, connection, sql`o.commerce_id <= ${after}`, left))]
}

async function findBetween(db: Db, connection: string, range: RawBuilder<boolean>, most: number) {
  // Nested laterals with limits keep the order of the scan, and no order at the end lets it stop as soon as there are enough.
  const { rows } = await sql<{ commerceId: string }>`
    with recursive known as materialized (
      select c.name as connection, ${commerceOrder()} from connections c where c.name = ${connection}
    ), commerce as (
      (select o.connection, o.commerce_id from jobs o
       where o.kind = 'deliver' and o.connection = ${connection} and ${range}
       order by o.commerce_id limit 1)
      union all
      select next.connection, next.commerce_id from commerce, lateral (
        select o.connection, o.commerce_id from jobs o
        where o.kind = 'deliver' and o.connection = commerce.connection and o.commerce_id > commerce.commerce_id and ${range}
        order by o.commerce_id limit 1) as next
    )
    select commerce.commerce_id as "commerceId"
    from commerce, known, lateral (${headOfCommerce(sql`commerce`)}) as head, lateral (
      select from jobs j
      where j.id = head.id and j.leased_until is null and j.parked_reason is null and j.due_at <= now()
        and ${isInCommerceTurn('known')}
      limit 1) as due
    limit ${most}`.execute(db)
  return rows.map((row) => row.commerceId)
}
