// Taking a failed dispatch out for good.
import type { DispatchState } from '../dispatch/states.ts'
import { TRANSITIONS, transition } from '../dispatch/states.ts'
import type { Db } from './database.ts'
import { endBlock } from './end-block.ts'
import { nextState } from './next-state.ts'
import { writeAudit } from './write-audit.ts'
import type { Author } from './write-audit.ts'

export interface Discard {
  readonly id: string
  readonly reason: string
  readonly author: Author
}

export type DiscardOutcome =
  | {
      readonly kind: 'discarded'
      readonly discarded: {
        readonly id: string
        readonly activityId: string
        readonly connection: string
        /** Why it had failed; it stays. */
        readonly reasonCode: string | null
      }
    }
  | { readonly kind: 'not_failed'; readonly state: DispatchState }
  | { readonly kind: 'not_found' }

/** Discards a failed dispatch and writes down who and why; committed when it resolves. A replay brings it back. */
export async function discardDispatch(db: Db, discard: Discard): Promise<DiscardOutcome> {
  return db.transaction().execute(async (tx) => {
    const dispatch = await tx
      .selectFrom('dispatches')
      .select(['id', 'activity_id', 'connection', 'state', 'reason_code'])
      .where('id', '=', discard.id)
      .forUpdate()
      .executeTakeFirst()
    if (dispatch === undefined) return { kind: 'not_found' }
    if (transition(dispatch.state, 'discard') === undefined) return { kind: 'not_failed', state: dispatch.state }
    await tx
      .updateTable('dispatches')
      .set({ state: nextState(TRANSITIONS.discard) })
      .where('id', '=', dispatch.id)
      .execute()
    await endBlock(tx, dispatch.id)
    const { id, activity_id: activityId, connection, reason_code: reasonCode } = dispatch
    await writeAudit(tx, {
      author: discard.author,
      action: 'dispatch.discarded',
      connection,
      target: id,
      reason: discard.reason,
      detail: { reasonCode },
    })
    return { kind: 'discarded', discarded: { id, activityId, connection, reasonCode } }
  })
}
