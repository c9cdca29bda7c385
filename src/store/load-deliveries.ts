// What a worker needs of the dispatches it claimed: the ledger row and the body that is current.
import { sql } from 'kysely'
import type { DispatchState } from '../dispatch/states.ts'
import type { Db } from './database.ts'

export interface Delivery {
  readonly dispatchId: string
  readonly activityId: string
  readonly type: string
  readonly revision: number
  readonly state: DispatchState
  readonly body: Buffer
  /** The body is a row of Reten's list, which has Reten's own spelling whatever this tenant's pushes look like. */
  readonly isListed: boolean
}

/** Loads dispatches with their bodies, by id; one whose body is gone is absent. */
export async function loadDeliveries(db: Db, dispatchIds: readonly string[]): Promise<ReadonlyMap<string, Delivery>> {
  const rows = await db
    .selectFrom('dispatches as d')
    .innerJoin('dispatch_bodies as b', (join) =>
      join.onRef('b.dispatch_id', '=', 'd.id').onRef('b.day', '=', 'd.body_day').onRef('b.body_no', '=', 'd.body_no'),
    )
    .select([
      'd.id as dispatchId',
      'd.activity_id as activityId',
      'd.type',
      'd.revision',
      'd.state',
      'b.body',
      sql<boolean>`d.origin = 'reconciled' and d.body_no = 0`.as('isListed'),
    ])
    .where('d.id', 'in', dispatchIds)
    .execute()
  return new Map(rows.map((row) => [row.dispatchId, row]))
}
