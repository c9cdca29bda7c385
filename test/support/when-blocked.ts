import { sql } from 'kysely'
import type { Db } from '../../src/store/database.ts'

/** Resolves once `count` sessions of this database wait for a lock: what a test needs to know before it goes on. */
export async function whenBlocked(db: Db, count = 1): Promise<void> {
  for (;;) {
    const { rows } = await sql<{ waiting: number }>`
      select count(*) as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
    if ((rows[0]?.waiting ?? 0) >= count) return
  }
}
