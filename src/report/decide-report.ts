// From Reten's answer to what happens to the report: pure, so that every pair can be tabled in a test.
//
//  201                     reported
//  409 after a try of ours whose answer was lost: it is there already
//  409 otherwise           conflict: Reten holds another result, a person decides
//  401, 403                the key is at fault, not the result: later, uncharged
//  400, 404, other 4xx     failed, with Reten's words; unproven where an earlier try may have put it there
//  429                     later, uncharged
//  5xx, no answer          later; used up: failed, or unproven where Reten may have it
import { DEFAULT_RETRY_DELAYS_SECONDS, nextDelayMs, throttledDelayMs } from '../dispatch/retry-policy.ts'
import type { RetenAnswer } from '../reten/reten-answer.ts'
import type { ResultAccepted } from '../schema-types.ts'
import { MINUTE_MS } from '../time.ts'

export type ReportDecision =
  | { readonly kind: 'reported'; readonly retenResultId: string | undefined }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly isCharged: boolean; readonly isFateUnknown: boolean }
  | {
      readonly kind: 'ended'
      readonly state: 'failed' | 'conflict' | 'unproven'
      readonly reasonCode: string
      readonly reason: string
    }

export interface ReportFacts {
  /** Charged tries before this one. */
  readonly attempts: number
  /** Whether an earlier try may have put the result there. */
  readonly isFateUnknown: boolean
  readonly retryDelaysSeconds: readonly number[] | undefined
  /** From 0 to 1. */
  readonly random: () => number
}

// A wrong key is wrong until somebody changes it: look once a minute, so that the change is noticed without a command.
const KEY_REFUSED_DELAY_MS = MINUTE_MS

/** What follows from one answer. */
export function decideReport(answer: RetenAnswer<ResultAccepted>, facts: ReportFacts): ReportDecision {
  switch (answer.kind) {
    case 'ok':
      return { kind: 'reported', retenResultId: answer.value.id }
    case 'refused':
      return decideRefusal(answer.status, answer.message, facts)
    case 'unavailable': {
      const isFateUnknown = facts.isFateUnknown || answer.isSent
      const delays = facts.retryDelaysSeconds ?? DEFAULT_RETRY_DELAYS_SECONDS
      if (answer.code === 'http_429') {
        const slowerMs = throttledDelayMs(delays, facts.random, answer.retryAfterMs)
        return { kind: 'retry', delayMs: slowerMs, isCharged: false, isFateUnknown }
      }
      const delayMs = nextDelayMs(delays, facts.attempts + 1, facts.random, answer.retryAfterMs)
      if (delayMs !== undefined) return { kind: 'retry', delayMs, isCharged: true, isFateUnknown }
      const state = isFateUnknown ? 'unproven' : 'failed'
      return { kind: 'ended', state, reasonCode: 'gave_up', reason: answer.message }
    }
    default:
      return answer satisfies never
  }
}

function decideRefusal(status: number, message: string, facts: ReportFacts): ReportDecision {
  if (status === 409 && facts.isFateUnknown) return { kind: 'reported', retenResultId: undefined }
  if (status === 409) return { kind: 'ended', state: 'conflict', reasonCode: 'http_409', reason: message }
  if (status === 401 || status === 403) {
    const isFateUnknown = facts.isFateUnknown
    return { kind: 'retry', delayMs: KEY_REFUSED_DELAY_MS, isCharged: false, isFateUnknown }
  }
  const state = facts.isFateUnknown ? 'unproven' : 'failed'
  return { kind: 'ended', state, reasonCode: `http_${status}`, reason: message }
}
