import { sql } from 'kysely'
import type { Db } from './database.ts'
import { isEnd } from './result-end.ts'

/**
 * Completes a delivered dispatch whose final result stands at Reten already, as after a replay. A statement of its own, run
 * after the one that delivered it: a report that ended while that one waited for its locks is not in its snapshot.
 */
export async function completeReported(db: Db, dispatchId: string): Promise<void> {
  await sql`
    update dispatches d set state = 'completed', finished_at = now()
    where d.id = ${dispatchId} and d.state = 'delivered' and exists (
      select from results r where r.dispatch_id = d.id and r.revision = d.revision
        and r.state = 'reported' and ${isEnd('r')})`.execute(db)
}
