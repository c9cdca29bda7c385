// One instance at a time runs each periodic task: a row with a lease, not a session lock, so that poolers do no harm.
import { sql } from 'kysely'
import type { Db } from './database.ts'

export interface Turn {
  readonly task: string
  readonly holder: string
  /** How long nobody else may have it; the holder itself may renew. */
  readonly leaseSeconds: number
}

/** Takes or renews the lease; false while another instance holds it. */
export async function takeTurn(db: Db, turn: Turn): Promise<boolean> {
  const { rows } = await sql`
    insert into periodic_leases (name, holder, leased_until)
    values (${turn.task}, ${turn.holder}, now() + make_interval(secs => ${turn.leaseSeconds}))
    on conflict (name) do update set holder = excluded.holder, leased_until = excluded.leased_until
    where periodic_leases.leased_until < now() or periodic_leases.holder = excluded.holder
    returning name`.execute(db)
  return rows.length > 0
}
