// Pausing, resuming and archiving. updated_at stays: it is the version that clients are built for, and none of these
// changes how the provider is called.
//
//            pause     resume    archive
//  active    paused    active    archived
//  paused    paused    active    archived     (paused again: the newer reason stands)
//  archived  -         -         -            (add it again)
//
// A pause of the service's own becomes the operator's by these, so no probe ends it any more; resumed, it goes on on trial.
// Resuming resumes reporting as well, which nobody but the service pauses.
import { sql } from 'kysely'
import type { ConnectionState } from '../connection.ts'
import type { Db } from './database.ts'
import { writeAudit } from './write-audit.ts'
import type { Author } from './write-audit.ts'

export interface StateChange {
  readonly name: string
  readonly to: ConnectionState
  /** Required to pause. */
  readonly reason: string | undefined
  readonly author: Author
}

const ACTIONS = {
  active: 'connection.resumed',
  paused: 'connection.paused',
  archived: 'connection.archived',
} as const satisfies Record<ConnectionState, string>

/**
 * Changes a connection's state. `environment`: the environment's connection cannot be archived, it would be back at the
 * next start. `unchanged`: it was active already.
 */
export async function setConnectionState(
  db: Db,
  change: StateChange,
): Promise<'changed' | 'unchanged' | 'not_found' | 'environment'> {
  return db.transaction().execute(async (tx) => {
    const row = await tx
      .selectFrom('connections')
      .select(['state', 'origin', 'reporting_state'])
      .where('name', '=', change.name)
      .forUpdate()
      .executeTakeFirst()
    if (row === undefined || row.state === 'archived') return 'not_found'
    if (change.to === 'archived' && row.origin === 'environment') return 'environment'
    if (change.to === 'active' && row.state === 'active' && row.reporting_state === 'active') return 'unchanged'
    await tx
      .updateTable('connections')
      .set({ state: change.to, state_reason: stateReason(change), state_changed_at: sql<Date>`now()`, probe_at: null })
      .$if(change.to === 'active', (query) =>
        query.set({
          reporting_state: 'active',
          reporting_reason: null,
          reporting_changed_at: sql<Date>`case when reporting_state = 'paused' then now() else reporting_changed_at end`,
          reporting_probe_at: null,
        }),
      )
      .where('name', '=', change.name)
      .execute()
    await writeAudit(tx, {
      author: change.author,
      action: ACTIONS[change.to],
      connection: change.name,
      target: change.name,
      reason: change.reason,
      detail: { stateBefore: row.state, reportingBefore: row.reporting_state },
    })
    return 'changed'
  })
}

function stateReason(change: StateChange): string | null {
  return change.to === 'active' ? null : (change.reason ?? null)
}
