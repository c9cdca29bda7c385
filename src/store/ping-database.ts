import { sql } from 'kysely'
import type { Db } from './database.ts'
import { errorCode } from './database-errors.ts'

/** Undefined where the database answers and can be written to, else one sentence; hosts and accounts are not named. */
export async function pingDatabase(db: Db): Promise<string | undefined> {
  try {
    // Said as PostgreSQL says it when a statement writes, so that the connection is given up like any other that leads to a
    // server that was the primary.
    await sql`
      do $$ begin
        if current_setting('transaction_read_only')::boolean or pg_is_in_recovery() then
          raise read_only_sql_transaction;
        end if;
      end $$`.execute(db)
    return undefined
  } catch (error) {
    if (errorCode(error) === '25006') return 'the database takes no writes'
    return 'the database cannot be reached' // why is in the log of whoever needed it; this answer is public
  }
}
