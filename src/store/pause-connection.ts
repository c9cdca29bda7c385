// A connection whose key was refused stops the half of its work that needs the key, with the reason that people will read.
import { sql } from 'kysely'
import { PROBE_DELAYS_SECONDS } from '../dispatch/key-probe.ts'
import type { Db } from './database.ts'
import { REFUSAL_COLUMNS } from './refusal-columns.ts'
import type { KeySide } from './refusal-columns.ts'

export interface Pause {
  readonly name: string
  readonly side: KeySide
  readonly reason: string
  /** The version of the connection that was refused: one that was changed meanwhile is not to blame. */
  readonly version: string
  /** The worker that pauses it. */
  readonly actor: string
}

/**
 * Pauses one side of a connection until its key is good, says when it is tried again, and writes it down; false where that side
 * was not active, or the connection was changed since.
 */
export async function pauseConnection(db: Db, pause: Pause): Promise<boolean> {
  const { state, reason, changedAt, refusals, probeAt, pausedAction } = REFUSAL_COLUMNS[pause.side]
  const { rows } = await sql`
    with paused as (
      update connections set ${state} = 'paused', ${reason} = ${pause.reason}, ${changedAt} = now(),
        ${refusals} = ${refusals} + 1, ${probeAt} = ${nextProbeAt(pause.side)}
      where name = ${pause.name} and ${state} = 'active' and state <> 'archived'
        and date_trunc('milliseconds', updated_at) = ${pause.version}::timestamptz
      returning name
    ), noted as (
      insert into audit_log (actor, action, connection, target, reason)
      select ${pause.actor}, ${pausedAction}, name, name, ${pause.reason} from paused
    )
    select name from paused`.execute(db)
  return rows.length > 0
}

/** When a key is tried again that was just refused once more. */
export function nextProbeAt(side: KeySide) {
  const { refusals } = REFUSAL_COLUMNS[side]
  const step = sql`least(${refusals} + 1, ${PROBE_DELAYS_SECONDS.length}::int)`
  return sql`now() + make_interval(secs => (${sql.val(PROBE_DELAYS_SECONDS)}::int[])[${step}])`
}
