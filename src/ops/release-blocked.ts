// A person's word about a dispatch that others of its commerce wait for, for the admin API.
import { isUuid } from '../dispatch/identity.ts'
import { AppError } from '../errors.ts'
import { releaseBlocked } from '../store/release-blocked.ts'
import type { BlockedAction, BlockedRelease, BlockedReleaseOutcome, ReleasedBlocker } from '../store/release-blocked.ts'
import { checkReason } from './reason.ts'
import { replayOne } from './replay.ts'
import type { ReplayDeps } from './replay.ts'

/** A dispatch that holds up its commerce no more, or soon. */
export interface BlockerReleased extends Pick<ReleasedBlocker, 'id' | 'activityId' | 'connection'> {
  readonly action: BlockedAction
}

/**
 * Lets others pass a dispatch that failed or is parked (`skip`), or has it tried at once (`retry_now`, for a failed one a replay).
 * Throws RCV_REQUEST_INVALID without a reason, RCV_DISPATCH_NOT_FOUND, RCV_NOT_BLOCKING, or RCV_STATE_CONFLICT where there is
 * nothing to try at once.
 */
export async function releaseBlockedOne(deps: ReplayDeps, input: BlockedRelease): Promise<BlockerReleased> {
  checkReason(input.reason)
  const { id, action, reason, author } = input
  const outcome = isUuid(id) ? await releaseBlocked(deps.db, input) : ({ kind: 'not_found' } as const)
  if (outcome.kind === 'unsuitable' && outcome.state === 'failed' && outcome.phase === 'none') {
    const { activityId, connection } = await replayOne(deps, { id, reason, isDryRun: false, author })
    return { id, activityId, connection, action }
  }
  if (outcome.kind !== 'released') throw refusal(outcome, id)
  const { activityId, connection } = outcome.released
  const { actor, requestId } = author
  const line = { event: 'dispatch.released', dispatchId: id, activityId, connection, action, actor, requestId }
  deps.logger.info(line, `dispatch released by ${actor}`)
  deps.nudge('deliver') // itself, or what waited behind it
  return { id, activityId, connection, action }
}

function refusal(outcome: Exclude<BlockedReleaseOutcome, { kind: 'released' }>, id: string): AppError {
  switch (outcome.kind) {
    case 'not_found':
      return new AppError('RCV_DISPATCH_NOT_FOUND', `there is no dispatch ${id}`)
    case 'not_blocking':
      return new AppError(
        'RCV_NOT_BLOCKING',
        `dispatch ${id} is ${outcome.state} and holds up nothing that skipping it would free`,
      )
    case 'unsuitable':
      return new AppError('RCV_STATE_CONFLICT', `dispatch ${id} is ${outcome.state}, ${PHASES[outcome.phase]}`)
    default:
      return outcome satisfies never
  }
}

const PHASES = {
  in_flight: 'and its delivery is in flight',
  parked: 'and its delivery is parked: release it with repeat or delivered',
  none: 'and no delivery is due',
} as const
