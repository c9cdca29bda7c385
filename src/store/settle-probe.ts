// Writing down what a try of a refused key came to. A connection that was changed, resumed or paused by an operator meanwhile
// stays as it is: the try was not made with what stands there now.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { ProbeAnswer } from '../dispatch/key-probe.ts'
import { storable } from './attempt.ts'
import type { Db } from './database.ts'
import { nextProbeAt } from './pause-connection.ts'
import { REFUSAL_COLUMNS } from './refusal-columns.ts'
import type { KeySide } from './refusal-columns.ts'

export interface Probe {
  readonly name: string
  readonly side: KeySide
  /** The version of the connection that was tried. */
  readonly version: string
  readonly actor: string
}

/** Lets a good key's side go on, on trial; true where it does. Any other answer puts the next try off. */
export async function settleProbe(db: Db, probe: Probe, answer: ProbeAnswer): Promise<boolean> {
  switch (answer.kind) {
    case 'good':
      return resumeOnTrial(db, probe)
    case 'refused': {
      const { refusals, reason } = REFUSAL_COLUMNS[probe.side]
      await postpone(db, probe, sql`, ${refusals} = ${refusals} + 1, ${reason} = ${storable(answer.message)}`)
      return false
    }
    case 'unknown':
      await postpone(db, probe, sql``)
      return false
    default:
      return answer satisfies never
  }
}

async function resumeOnTrial(db: Db, probe: Probe): Promise<boolean> {
  const { state, reason, changedAt, probeAt, resumedAction } = REFUSAL_COLUMNS[probe.side]
  const { rows } = await sql`
    with resumed as (
      update connections set ${state} = 'active', ${reason} = null, ${changedAt} = now(), ${probeAt} = null
      where ${isStillTried(probe)} returning name
    ), noted as (
      insert into audit_log (actor, action, connection, target)
      select ${probe.actor}, ${resumedAction}, name, name from resumed
    )
    select name from resumed`.execute(db)
  return rows.length > 0
}

async function postpone(db: Db, probe: Probe, change: RawBuilder<unknown>): Promise<void> {
  const { probeAt } = REFUSAL_COLUMNS[probe.side]
  await sql`
    update connections set ${probeAt} = ${nextProbeAt(probe.side)} ${change} where ${isStillTried(probe)}`.execute(db)
}

function isStillTried(probe: Probe): RawBuilder<unknown> {
  const { state, probeAt } = REFUSAL_COLUMNS[probe.side]
  return sql`name = ${probe.name} and ${state} = 'paused' and ${probeAt} is not null
    and date_trunc('milliseconds', updated_at) = ${probe.version}::timestamptz`
}
