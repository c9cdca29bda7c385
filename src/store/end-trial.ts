import { sql } from 'kysely'
import type { Db } from './database.ts'
import { REFUSAL_COLUMNS } from './refusal-columns.ts'
import type { KeySide } from './refusal-columns.ts'

/** The key is good: the other side looked at what we sent. Nothing where the side is paused again by now. */
export async function endTrial(db: Db, name: string, side: KeySide): Promise<void> {
  const { state, refusals } = REFUSAL_COLUMNS[side]
  await sql`update connections set ${refusals} = 0 where name = ${name} and ${state} = 'active'`.execute(db)
}
