// Cancelling one dispatch, for the admin API.
import { isUuid } from '../dispatch/identity.ts'
import { AppError } from '../errors.ts'
import { cancelDispatch } from '../store/cancel-dispatch.ts'
import type { Cancel, Cancelled, CancelResult } from '../store/cancel-dispatch.ts'
import { checkReason } from './reason.ts'
import type { ReplayDeps } from './replay.ts'

/**
 * Stops a delivery that did not happen, and has the provider asked to cancel one that did or may have. Throws
 * RCV_REQUEST_INVALID without a reason, RCV_DISPATCH_NOT_FOUND, RCV_NOT_CANCELABLE where it has ended, or
 * RCV_STATE_CONFLICT where the provider would have to be asked and its connection is archived.
 */
export async function cancelOneDispatch(deps: ReplayDeps, input: Cancel): Promise<Cancelled> {
  checkReason(input.reason)
  const result = isUuid(input.id) ? await cancelDispatch(deps.db, input) : ({ kind: 'not_found' } as const)
  if (result.kind !== 'cancelled') throw refusal(result, input.id)
  const { cancelled } = result
  if (cancelled.step === 'unchanged') return cancelled
  const { id: dispatchId, activityId, connection, step, stateBefore } = cancelled
  const { actor, requestId } = input.author
  const line = {
    event: 'dispatch.canceled',
    dispatchId,
    activityId,
    connection,
    step,
    stateBefore,
    source: input.source,
  }
  deps.logger.info({ ...line, actor, requestId }, `dispatch cancelled by ${actor}`)
  deps.nudge('cancel')
  deps.nudge('deliver') // what waited behind it may go on
  return cancelled
}

function refusal(result: Exclude<CancelResult, { kind: 'cancelled' }>, id: string): AppError {
  switch (result.kind) {
    case 'not_found':
      return new AppError('RCV_DISPATCH_NOT_FOUND', `there is no dispatch ${id}`)
    case 'archived':
      return new AppError('RCV_STATE_CONFLICT', `the connection of dispatch ${id} is archived: add it again first`)
    case 'ended': {
      const why = result.isTold ? 'the provider has told its end' : `it is ${result.state}`
      return new AppError('RCV_NOT_CANCELABLE', `dispatch ${id} cannot be cancelled any more: ${why}`)
    }
    default:
      return result satisfies never
  }
}
