// A connection's budget from outside of a claim: closed because the destination asked for it, or given back unused. Each is one
// statement on one row, so that nobody who holds several rows can be in its way.
import { sql } from 'kysely'
import type { Db } from './database.ts'
import type { JobKind } from './tables.ts'

export interface HoldOff {
  readonly connection: string
  readonly kind: JobKind
  readonly forMs: number
}

/** Closes a connection's budget for this long from now, for all instances; one that is closed for longer stays so. */
export async function holdOff(db: Db, { connection, kind, forMs }: HoldOff): Promise<void> {
  await sql`
    insert into connection_budgets as budget (connection, kind, closed_until)
    values (${connection}, ${kind}, now() + make_interval(secs => ${forMs / 1_000}))
    on conflict (connection, kind) do update
    set closed_until = greatest(budget.closed_until, excluded.closed_until)`.execute(db)
}

/** Gives back the token of a job that was claimed and not begun; nothing where the connection has no rate. */
export async function giveTokenBack(
  db: Db,
  { connection, kind }: { readonly connection: string; readonly kind: JobKind },
): Promise<void> {
  // More than the bucket holds is cut at the next claim.
  await sql`
    update connection_budgets set tokens = tokens + 1
    where connection = ${connection} and kind = ${kind} and tokens is not null`.execute(db)
}
