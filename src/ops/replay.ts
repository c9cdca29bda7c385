// Replaying one dispatch, for the admin API and the command alike.
import { idempotencyKey, isUuid } from '../dispatch/identity.ts'
import { AppError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { Db } from '../store/database.ts'
import { replayDispatch } from '../store/replay-dispatch.ts'
import type { ReplayInput, ReplayPlan } from '../store/replay-dispatch.ts'
import type { JobKind } from '../store/tables.ts'
import { checkReason } from './reason.ts'

export interface ReplayDeps {
  readonly db: Db
  readonly logger: Logger
  /** Wakes this process's delivery; a command has none to wake. */
  nudge(kind: JobKind): void
}

/** A replay that was made, or in a dry run would be. */
export interface Replay extends ReplayPlan {
  readonly isDryRun: boolean
  /** What the provider recognises the delivery by. */
  readonly idempotencyKey: string
  /** False where the provider cancelled its task: it would take the same key for that one, and do nothing. */
  readonly isSameKey: boolean
}

/**
 * Makes a dispatch due for delivery at once. Throws RCV_REQUEST_INVALID without a reason, RCV_DISPATCH_NOT_FOUND, or RCV_STATE_CONFLICT where a worker has it at
 * this moment, its body is gone, or its connection is archived.
 */
export async function replayOne(deps: ReplayDeps, input: ReplayInput): Promise<Replay> {
  checkReason(input.reason)
  const outcome = isUuid(input.id) ? await replayDispatch(deps.db, input) : ({ kind: 'not_found' } as const)
  if (outcome.kind !== 'planned') throw refusal(outcome.kind, input.id)
  const { plan } = outcome
  if (!input.isDryRun) {
    deps.nudge('deliver')
    const { id: dispatchId, activityId, connection, stateBefore } = plan
    const { actor, requestId } = input.author
    const line = { event: 'dispatch.replayed', dispatchId, activityId, connection, stateBefore, actor, requestId }
    deps.logger.info(line, `dispatch replayed by ${actor}`)
  }
  const key = idempotencyKey(plan.id, plan.revision)
  return { ...plan, isDryRun: input.isDryRun, idempotencyKey: key, isSameKey: plan.revision === plan.revisionBefore }
}

function refusal(kind: 'not_found' | 'in_flight' | 'bodyless' | 'archived', id: string): AppError {
  switch (kind) {
    case 'not_found':
      return new AppError('RCV_DISPATCH_NOT_FOUND', `there is no dispatch ${id}`)
    case 'in_flight':
      return new AppError(
        'RCV_STATE_CONFLICT',
        `dispatch ${id} is being delivered at this moment: try again once it is done`,
      )
    case 'bodyless':
      return new AppError(
        'RCV_STATE_CONFLICT',
        `the body of dispatch ${id} is no longer kept: there is nothing to deliver`,
      )
    case 'archived':
      return new AppError('RCV_STATE_CONFLICT', `the connection of dispatch ${id} is archived: add it again first`)
    default:
      return kind satisfies never
  }
}
