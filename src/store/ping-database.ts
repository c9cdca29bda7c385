import { sql } from 'kysely'
import type { Db } from './database.ts'

/** Undefined where the database answers and can be written to, else one sentence; hosts and accounts are not named. */
export async function pingDatabase(db: Db): Promise<string | undefined> {
  try {
    const { rows } = await sql<{ is_read_only: boolean }>`
      select current_setting('transaction_read_only')::boolean or pg_is_in_recovery() as is_read_only`.execute(db)
    return rows[0]?.is_read_only === true ? 'the database takes no writes' : undefined
  } catch {
    return 'the database cannot be reached' // why is in the log of whoever needed it; this answer is public
  }
}
