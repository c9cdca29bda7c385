// Releasing what waits behind a dispatch, or not making it wait any longer. Lock order, here as everywhere: the dispatch, then
// its job.
//
//            failed                            parked                      to be tried later
//  skip      the others pass, it stays failed  the others pass, it stays   -
//  retry_now (a replay)                        -                           due at once, with the tries it has left
import { sql } from 'kysely'
import type { DispatchState } from '../dispatch/states.ts'
import type { Db, Tx } from './database.ts'
import { writeAudit } from './write-audit.ts'
import type { Author } from './write-audit.ts'

export type BlockedAction = 'skip' | 'retry_now'

export interface BlockedRelease {
  readonly id: string
  readonly action: BlockedAction
  readonly reason: string
  readonly author: Author
}

export interface ReleasedBlocker {
  readonly id: string
  readonly activityId: string
  readonly connection: string
  readonly commerceId: string
}

/**
 * - `not_blocking`: it holds up nothing that skipping it would free.
 * - `unsuitable`: there is no try to bring forward; `state` and `phase` say what there is.
 */
export type BlockedReleaseOutcome =
  | { readonly kind: 'released'; readonly released: ReleasedBlocker }
  | { readonly kind: 'not_blocking'; readonly state: DispatchState }
  | { readonly kind: 'unsuitable'; readonly state: DispatchState; readonly phase: 'in_flight' | 'parked' | 'none' }
  | { readonly kind: 'not_found' }

/** Carries out what a person decided about a dispatch that others wait for, and writes down who and why; committed when it resolves. */
export async function releaseBlocked(db: Db, release: BlockedRelease): Promise<BlockedReleaseOutcome> {
  return db.transaction().execute(async (tx) => {
    const dispatch = await tx
      .selectFrom('dispatches')
      .select(['id', 'activity_id', 'connection', 'commerce_id', 'state'])
      .where('id', '=', release.id)
      .forUpdate()
      .executeTakeFirst()
    if (dispatch === undefined) return { kind: 'not_found' }
    const { state } = dispatch
    if (release.action === 'skip') {
      if (!(await skip(tx, release.id))) return { kind: 'not_blocking', state }
    } else {
      const phase = await bringForward(tx, release.id)
      if (phase !== undefined) return { kind: 'unsuitable', state, phase }
    }
    await writeAudit(tx, {
      author: release.author,
      action: 'dispatch.released',
      connection: dispatch.connection,
      target: dispatch.id,
      reason: release.reason,
      detail: { action: release.action, state, commerceId: dispatch.commerce_id },
    })
    const { id, activity_id: activityId, connection, commerce_id: commerceId } = dispatch
    return { kind: 'released', released: { id, activityId, connection, commerceId } }
  })
}

/** False where it was neither failed nor parked in the way of others. */
async function skip(tx: Tx, id: string): Promise<boolean> {
  const { rows } = await sql`
    with failed as (
      delete from commerce_blocks b using dispatches d
      where b.dispatch_id = ${id} and d.id = b.dispatch_id and d.state = 'failed'
      returning b.dispatch_id
    ), parked as (
      update jobs set is_skipped = true from connections c
      where dispatch_id = ${id} and kind = 'deliver' and parked_reason is not null and not is_skipped
        and c.name = jobs.connection and c.settings ->> 'ordering' = 'commerce'
      returning dispatch_id
    )
    select from failed union all select from parked`.execute(tx)
  return rows.length > 0
}

/** Undefined where its next try is due now. Waits for whoever has the job: nobody holds one while it waits for a dispatch. */
async function bringForward(tx: Tx, id: string): Promise<'in_flight' | 'parked' | 'none' | undefined> {
  const job = await tx
    .selectFrom('jobs')
    .select(['id', 'leased_until', 'parked_reason'])
    .where('dispatch_id', '=', id)
    .where('kind', '=', 'deliver')
    .forUpdate()
    .executeTakeFirst()
  if (job === undefined) return 'none'
  if (job.leased_until !== null) return 'in_flight'
  if (job.parked_reason !== null) return 'parked'
  await tx
    .updateTable('jobs')
    .set({ due_at: sql<Date>`least(due_at, now())` })
    .where('id', '=', job.id)
    .execute()
  return undefined
}
