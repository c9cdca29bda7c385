// Where a dispatch is failed no more it holds up its commerce no more. Left behind, the row would be harmless, and read by every
// look at what is blocked for good.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Db } from './database.ts'

/** Forgets that a dispatch held up its commerce; part of the transaction that moves it on. */
export async function endBlock(db: Db, dispatchId: string): Promise<void> {
  await db.deleteFrom('commerce_blocks').where('dispatch_id', '=', dispatchId).execute()
}

/** A part of a statement: the same for what the part `completed` names (id). */
export function endBlocksOfCompleted(): RawBuilder<unknown> {
  return sql`delete from commerce_blocks b using completed where b.dispatch_id = completed.id`
}
