import { sql } from 'kysely'
import type { Db } from './database.ts'

export interface ResultCodeCount {
  /** As the provider told it, or an operator. */
  readonly code: string
  readonly times: number
}

/** The codes of a connection's results among its latest `dispatches`, most frequent first. */
export async function countResultCodes(db: Db, connection: string, dispatches: number): Promise<ResultCodeCount[]> {
  // From the ledger's index, not from results: those have none by connection, and a check must not read all of them.
  const { rows } = await sql<ResultCodeCount>`
    select r.code, count(*)::int as times
    from (select id from dispatches where connection = ${connection} order by seq desc limit ${dispatches}) d
    join results r on r.dispatch_id = d.id
    group by r.code order by times desc, r.code`.execute(db)
  return rows
}
