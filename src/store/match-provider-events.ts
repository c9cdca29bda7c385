// Events that came before the dispatch they mean was known by that id: tried again, the newest first, each in a transaction of
// its own.
import { sql } from 'kysely'
import type { ProviderEvent } from '../dispatch/provider-event.ts'
import type { Db } from './database.ts'
import { applyEvent } from './record-provider-event.ts'

// One turn stays short; the next turn goes on.
const BATCH = 200
// What has not found its dispatch by then never will; it stays where it is, for an operator.
const MAX_AGE_DAYS = 30

/** Applies kept events that fit a dispatch now; answers how many did. */
export async function matchProviderEvents(db: Db): Promise<number> {
  const waiting = await db
    .selectFrom('provider_events')
    .select(['id', 'connection', 'content'])
    .where('matched_at', 'is', null)
    .where('received_at', '>', sql<Date>`now() - make_interval(days => ${MAX_AGE_DAYS})`)
    .orderBy('received_at', 'desc')
    .limit(BATCH)
    .execute()
  let matched = 0
  for (const row of waiting) {
    // Written by keepEvent from a ProviderEvent.
    const event = row.content as ProviderEvent
    const found = await db.transaction().execute((tx) => applyEvent(tx, row.id, { connection: row.connection, event }))
    if (found !== undefined) matched += 1
  }
  return matched
}
