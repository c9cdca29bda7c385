// What reading an unproven result back from Reten leads to. The dispatch is locked first, as everywhere; whoever changed the
// result meanwhile was first, and nothing is written.
import { sql } from 'kysely'
import { TRANSITIONS } from '../dispatch/states.ts'
import type { Db } from './database.ts'
import { endBlocksOfCompleted } from './end-block.ts'
import { nextState } from './next-state.ts'
import { isEnd } from './result-end.ts'

interface Unproven {
  readonly id: string
  readonly dispatchId: string
}

/** Reten has it: reported, and a final one completes its dispatch. Answers whether anything changed. */
export async function settleReadBackProven(db: Db, { id, dispatchId }: Unproven): Promise<boolean> {
  return db.transaction().execute(async (tx) => {
    await tx.selectFrom('dispatches').select('id').where('id', '=', dispatchId).forUpdate().execute()
    const { rows } = await sql`
      with proven as (
        update results set state = 'reported', reason_code = null, reason = null, settled_at = now(), attention_at = null
        where id = ${id} and state = 'unproven'
        returning dispatch_id, revision, ${isEnd('results')} as is_end
      ), completed as (
        update dispatches d set state = ${nextState(TRANSITIONS.reported)}, finished_at = now()
        from proven p
        where d.id = p.dispatch_id and d.revision = p.revision and p.is_end
          and d.state in ('delivered', 'failed', 'canceled')
        returning d.id
      ), unblocked as (${endBlocksOfCompleted()})
      select from proven`.execute(tx)
    return rows.length > 0
  })
}

/** Reten does not have it: it is reported again, as if it had never been. Answers whether anything changed. */
export async function settleReadBackAbsent(db: Db, { id, dispatchId }: Unproven): Promise<boolean> {
  return db.transaction().execute(async (tx) => {
    await tx.selectFrom('dispatches').select('id').where('id', '=', dispatchId).forUpdate().execute()
    const { rows } = await sql`
      with again as (
        update results set state = 'pending', reason_code = null, reason = null, settled_at = null, attention_at = null
        where id = ${id} and state = 'unproven'
        returning id, dispatch_id
      )
      insert into jobs (kind, connection, dispatch_id, result_id, commerce_id, seq, revision)
      select 'report', d.connection, d.id, again.id, d.commerce_id, d.seq, d.revision
      from again join dispatches d on d.id = again.dispatch_id
      returning id`.execute(tx)
    return rows.length > 0
  })
}
