import { sql } from 'kysely'
import type { Cancellation, DispatchState } from '../dispatch/states.ts'
import type { Db } from './database.ts'

/** What is known here of an activity; `state` is null where its body waits in quarantine. */
export interface KnownDispatch {
  readonly id: string
  readonly state: DispatchState | null
  readonly cancellation: Cancellation | null
}

/** Which of these dispatches are here, by id: stored, or in quarantine under an id that could be read. */
export async function findKnownDispatches(db: Db, ids: readonly string[]): Promise<ReadonlyMap<string, KnownDispatch>> {
  if (ids.length === 0) return new Map()
  const { rows } = await sql<KnownDispatch>`
    select id, state, cancellation from dispatches where id = any(${ids}::uuid[])
    union all
    select distinct dispatch_id, null, null from quarantine
    where dispatch_id = any(${ids}::uuid[]) and replayed_at is null
      and not exists (select from dispatches where id = dispatch_id)`.execute(db)
  return new Map(rows.map((row) => [row.id, row]))
}
