import { sql } from 'kysely'
import type { Db } from './database.ts'

/** Resolves when the database answers. Throws the driver's or PostgreSQL's error where it does not. */
export async function reachDatabase(db: Db): Promise<void> {
  await sql`select 1`.execute(db)
}
