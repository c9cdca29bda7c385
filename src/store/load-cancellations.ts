// What a worker needs of the dispatches whose tasks it is to cancel. Never their bodies: those may be gone by then.
import { sql } from 'kysely'
import type { Db } from './database.ts'

export interface Cancellable {
  readonly dispatchId: string
  readonly activityId: string
  readonly revision: number
  readonly providerTaskId: string | null
  /** Its end was told, or it was asked for again: nothing is to be cancelled any more. */
  readonly isOvertaken: boolean
}

/** Loads dispatches by id. */
export async function loadCancellations(
  db: Db,
  dispatchIds: readonly string[],
): Promise<ReadonlyMap<string, Cancellable>> {
  const rows = await db
    .selectFrom('dispatches')
    .select([
      'id as dispatchId',
      'activity_id as activityId',
      'revision',
      'provider_task_id as providerTaskId',
      sql<boolean>`cancellation is distinct from 'requested'`.as('isOvertaken'),
    ])
    .where('id', 'in', dispatchIds)
    .execute()
  return new Map(rows.map((row) => [row.dispatchId, row]))
}
