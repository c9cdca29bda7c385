import { sql } from 'kysely'
import type { Db } from './database.ts'

/** A comparison under way. */
export interface BegunReconciliation {
  readonly id: number
  /** As PostgreSQL writes it, to the microsecond. */
  readonly startedAt: string
  readonly requestedBy: string | null
}

/**
 * Begins a comparison of a connection: the oldest that was asked for, else one by schedule. One that began before and never ended
 * is closed: its process is gone, since whoever calls this has the connection's turn.
 */
export async function beginReconciliation(
  db: Db,
  { connection, worker }: { readonly connection: string; readonly worker: string },
): Promise<BegunReconciliation> {
  return db.transaction().execute(async (tx) => {
    await sql`
      update reconciliations set finished_at = now(), error = 'interrupted: its process ended'
      where connection = ${connection} and finished_at is null and started_at is not null`.execute(tx)
    const { rows } = await sql<BegunReconciliation>`
      with requested as (
        update reconciliations set started_at = now(), worker = ${worker}
        where id = (select min(id) from reconciliations where connection = ${connection} and started_at is null and finished_at is null)
        returning id, started_at, requested_by
      ), scheduled as (
        insert into reconciliations (connection, started_at, worker)
        select ${connection}, now(), ${worker} where not exists (select from requested)
        returning id, started_at, requested_by
      )
      select id, started_at::text as "startedAt", requested_by as "requestedBy"
      from (select * from requested union all select * from scheduled) begun`.execute(tx)
    const [begun] = rows
    if (begun === undefined) throw new Error(`no reconciliation of ${connection} was begun`)
    return begun
  })
}
