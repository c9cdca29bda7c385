// What a person does about results, for the admin API.
import { isUuid } from '../dispatch/identity.ts'
import { isFinal } from '../dispatch/result.ts'
import { AppError } from '../errors.ts'
import { reportByHand } from '../store/report-by-hand.ts'
import type { HandReport, HandReported } from '../store/report-by-hand.ts'
import { resolveResult } from '../store/resolve-result.ts'
import type { DecidedResult, ResultDecision } from '../store/resolve-result.ts'
import { toUtc } from '../time.ts'
import { checkReason } from './reason.ts'
import type { ReplayDeps } from './replay.ts'

const SUITABLE = {
  retry: 'one that failed, is unproven, in conflict or waits',
  keep_theirs: 'one in conflict or unproven',
  overwrite: 'one in conflict or unproven',
} as const

/**
 * Has a result told again, or ends a conflict. Throws RCV_REQUEST_INVALID without a reason, RCV_RESULT_NOT_FOUND, or
 * RCV_RESULT_UNSUITABLE where its state has nothing to decide.
 */
export async function decideOnResult(deps: ReplayDeps, input: ResultDecision): Promise<DecidedResult> {
  checkReason(input.reason)
  const outcome = isUuid(input.id) ? await resolveResult(deps.db, input) : ({ kind: 'not_found' } as const)
  switch (outcome.kind) {
    case 'not_found':
      throw new AppError('RCV_RESULT_NOT_FOUND', `there is no result ${input.id}`)
    case 'unsuitable': {
      const is = outcome.isInFlight ? 'being told to Reten at this moment' : outcome.state
      const message = `result ${input.id} is ${is}: ${input.action} is for ${SUITABLE[input.action]}`
      throw new AppError('RCV_RESULT_UNSUITABLE', message)
    }
    case 'decided': {
      const { id: resultId, ...decided } = outcome.decided
      const { actor, requestId } = input.author
      const line = { event: 'result.decided', resultId, ...decided, action: input.action, actor, requestId }
      deps.logger.info(line, `result: ${input.action} by ${actor}`)
      deps.nudge('report')
      return outcome.decided
    }
    default:
      return outcome satisfies never
  }
}

/**
 * Has a result told that a person knows of. Throws RCV_REQUEST_INVALID, RCV_DISPATCH_NOT_FOUND, or RCV_STATE_CONFLICT where the
 * dispatch is not delivered yet or the result is there already.
 */
export async function reportOneByHand(deps: ReplayDeps, input: HandReport): Promise<HandReported> {
  checkReason(input.reason)
  const outcome = isUuid(input.id) ? await reportByHand(deps.db, input) : ({ kind: 'not_found' } as const)
  switch (outcome.kind) {
    case 'not_found':
      throw new AppError('RCV_DISPATCH_NOT_FOUND', `there is no dispatch ${input.id}`)
    case 'undelivered':
      throw new AppError(
        'RCV_STATE_CONFLICT',
        `dispatch ${input.id} is still to be delivered: cancel it, or release it as delivered, first`,
      )
    case 'exists':
      throw new AppError('RCV_STATE_CONFLICT', `dispatch ${input.id} has this very result already: retry that one`)
    case 'reported': {
      const { actor, requestId } = input.author
      const { status } = input.content
      const line = { event: 'result.received', source: 'operator', ...outcome.reported, status, actor, requestId }
      deps.logger.info(line, `${isFinal(status) ? 'a result' : 'a PENDING result'} told by ${actor}`)
      deps.nudge('report')
      return outcome.reported
    }
    default:
      return outcome satisfies never
  }
}

/** An instant of a request as ISO 8601 in UTC. Throws RCV_REQUEST_INVALID. */
export function readInstant(text: string, path: string): string {
  const utc = toUtc(text)
  if (utc !== undefined) return utc
  const message = 'names no instant from year 1 to 9999'
  throw new AppError('RCV_REQUEST_INVALID', `body${path} ${message}`, { details: [{ path, message }] })
}
