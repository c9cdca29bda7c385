// Which connections have something due: a loose index scan that steps from one connection to the next, so that its cost
// follows the number of connections with jobs, neither all connections nor all jobs.
import { sql } from 'kysely'
import type { Db } from './database.ts'
import type { JobKind } from './tables.ts'

/** Names of the connections that have a due, unleased job of `kind`. */
export async function findDueConnections(db: Db, kind: JobKind): Promise<readonly string[]> {
  const { rows } = await sql<{ connection: string }>`
    with recursive step as (
      (select connection, due_at from jobs
       where kind = ${kind} and leased_until is null and parked_reason is null
       order by connection, due_at limit 1)
      union all
      (select next.connection, next.due_at from step, lateral (
         select connection, due_at from jobs
         where kind = ${kind} and leased_until is null and parked_reason is null and connection > step.connection
         order by connection, due_at limit 1) as next)
    )
    select connection from step where due_at <= now()`.execute(db)
  return rows.map((row) => row.connection)
}
