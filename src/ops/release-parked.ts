// A person's word about a parked delivery, for the admin API.
import { isUuid } from '../dispatch/identity.ts'
import { AppError } from '../errors.ts'
import { releaseParked } from '../store/release-parked.ts'
import type { ParkedAction, ParkedRelease, Released, ReleaseOutcome } from '../store/release-parked.ts'
import { checkReason } from './reason.ts'
import type { ReplayDeps } from './replay.ts'

/** A delivery that was parked and is not any more. */
export interface ParkedReleased extends Released {
  readonly action: ParkedAction
}

/**
 * Repeats a parked delivery, or takes it for delivered. Throws RCV_REQUEST_INVALID without a reason, RCV_DISPATCH_NOT_FOUND,
 * RCV_NOT_PARKED, or RCV_STATE_CONFLICT where its connection is archived.
 */
export async function releaseParkedOne(deps: ReplayDeps, input: ParkedRelease): Promise<ParkedReleased> {
  checkReason(input.reason)
  const outcome = isUuid(input.id) ? await releaseParked(deps.db, input) : ({ kind: 'not_found' } as const)
  if (outcome.kind !== 'released') throw refusal(outcome, input.id)
  const { id: dispatchId, activityId, connection, parkedReason } = outcome.released
  const { actor, requestId } = input.author
  const line = { event: 'dispatch.released', dispatchId, activityId, connection, action: input.action, parkedReason }
  deps.logger.info({ ...line, actor, requestId }, `dispatch released by ${actor}`)
  deps.nudge('deliver') // itself, or what waited behind it
  return { ...outcome.released, action: input.action }
}

function refusal(outcome: Exclude<ReleaseOutcome, { kind: 'released' }>, id: string): AppError {
  switch (outcome.kind) {
    case 'not_found':
      return new AppError('RCV_DISPATCH_NOT_FOUND', `there is no dispatch ${id}`)
    case 'archived':
      return new AppError('RCV_STATE_CONFLICT', `the connection of dispatch ${id} is archived: add it again first`)
    case 'not_parked':
      return new AppError(
        'RCV_NOT_PARKED',
        `dispatch ${id} is not parked: it is ${outcome.state}, ${PHASES[outcome.phase]}`,
      )
    default:
      return outcome satisfies never
  }
}

const PHASES = {
  in_flight: 'and its delivery is in flight',
  retrying: 'and its delivery waits for its next try',
  waiting: 'and its delivery waits for its first try',
  none: 'and no delivery is due',
} as const
