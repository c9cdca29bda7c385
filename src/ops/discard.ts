import { isUuid } from '../dispatch/identity.ts'
import { AppError } from '../errors.ts'
import { discardDispatch } from '../store/discard-dispatch.ts'
import type { Discard } from '../store/discard-dispatch.ts'
import { checkReason } from './reason.ts'
import type { ReplayDeps } from './replay.ts'

/** A dispatch that was taken out for good. */
export interface Discarded {
  readonly id: string
  readonly activityId: string
  readonly connection: string
  readonly state: 'discarded'
  readonly reasonCode: string | null
}

/** Discards a failed dispatch. Throws RCV_REQUEST_INVALID without a reason, RCV_DISPATCH_NOT_FOUND, RCV_NOT_FAILED. */
export async function discardOne(deps: ReplayDeps, input: Discard): Promise<Discarded> {
  checkReason(input.reason)
  const outcome = isUuid(input.id) ? await discardDispatch(deps.db, input) : ({ kind: 'not_found' } as const)
  switch (outcome.kind) {
    case 'not_found':
      throw new AppError('RCV_DISPATCH_NOT_FOUND', `there is no dispatch ${input.id}`)
    case 'not_failed':
      throw new AppError('RCV_NOT_FAILED', `dispatch ${input.id} is ${outcome.state}: only a failed one is discarded`)
    case 'discarded': {
      const { id: dispatchId, activityId, connection, reasonCode } = outcome.discarded
      const { actor, requestId } = input.author
      const line = {
        event: 'dispatch.discarded',
        dispatchId,
        activityId,
        connection,
        code: reasonCode,
        actor,
        requestId,
      }
      deps.logger.info(line, `dispatch discarded by ${actor}`)
      deps.nudge('deliver') // what waited behind it may go on
      return { ...outcome.discarded, state: 'discarded' }
    }
    default:
      return outcome satisfies never
  }
}
