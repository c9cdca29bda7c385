import { sql } from 'kysely'
import type { Db } from './database.ts'

/**
 * Milliseconds that each of `count` small commits took, in order; nothing is left behind. A message in the log that nobody
 * reads, rather than rows of a temporary table: PostgreSQL does not wait for its disk where a transaction wrote to temporary
 * tables alone, and the disk is what an acknowledgement waits for.
 */
export async function measureCommits(db: Db, count: number): Promise<readonly number[]> {
  return db.connection().execute(async (connection) => {
    const durations: number[] = []
    for (let number = 0; number < count; number += 1) {
      const startedAt = performance.now()
      await sql`select pg_logical_emit_message(true, 'reten-dispatch-doctor', '')`.execute(connection)
      durations.push(performance.now() - startedAt)
    }
    return durations
  })
}
