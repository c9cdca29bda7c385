// A connection that stops delivering, with the reason that people will read.
import { sql } from 'kysely'
import type { Db } from './database.ts'

export interface Pause {
  readonly name: string
  readonly reason: string
  /** The version of the connection that was refused: one that was changed meanwhile is not to blame. */
  readonly version: string
  /** Who pauses it: a worker, or an operator's name. */
  readonly actor: string
}

/** Pauses an active connection and writes it down; false where it was not active, or was changed since. */
export async function pauseConnection(db: Db, pause: Pause): Promise<boolean> {
  const { rows } = await sql`
    with paused as (
      update connections set state = 'paused', state_reason = ${pause.reason}, state_changed_at = now()
      where name = ${pause.name} and state = 'active'
        and date_trunc('milliseconds', updated_at) = ${pause.version}::timestamptz
      returning name
    ), noted as (
      insert into audit_log (actor, action, connection, target, reason)
      select ${pause.actor}, 'connection.paused', name, name, ${pause.reason} from paused
    )
    select name from paused`.execute(db)
  return rows.length > 0
}
