import { sql } from 'kysely'
import type { Db } from './database.ts'

/** Results that wait for a setting of this connection are looked at at once: it was changed. Waits for no lock. */
export async function releaseHeld(db: Db, connection: string): Promise<void> {
  await sql`
    with held as materialized (
      select j.id from jobs j join results r on r.id = j.result_id
      where j.kind = 'report' and j.connection = ${connection} and j.leased_until is null and j.due_at > now()
        and r.state = 'pending' and r.reason_code is not null
      for update of j skip locked
    )
    update jobs set due_at = now() from held where jobs.id = held.id`.execute(db)
}
