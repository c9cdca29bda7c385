import { sql } from 'kysely'
import type { Db } from './database.ts'
import { REFUSAL_COLUMNS } from './refusal-columns.ts'
import type { KeySide } from './refusal-columns.ts'

// Asked side by side: as many as one turn should have under way. The others are due at the next one.
const AT_ONCE = 10

/** Connections whose refused key is to be tried again now, longest due first. */
export async function findDueProbes(db: Db, side: KeySide): Promise<readonly string[]> {
  const { state, probeAt } = REFUSAL_COLUMNS[side]
  const { rows } = await sql<{ name: string }>`
    select name from connections
    where ${state} = 'paused' and ${probeAt} <= now() and state <> 'archived'
    order by ${probeAt} limit ${AT_ONCE}`.execute(db)
  return rows.map((row) => row.name)
}
