// From Reten's answer to what happens to the report: pure, so that every pair can be tabled in a test.
//
//  201                     reported
//  409 after a try of ours whose answer was lost: it is there already
//  409 otherwise           conflict: Reten holds another result, a person decides
//  401, 403                the key is at fault, not the result: reporting is paused, nothing is charged
//  400, 404, other 4xx     failed, with Reten's words; unproven where an earlier try may have put it there
//  429                     later, uncharged
//  5xx, no answer          later; used up: failed, or unproven where Reten may have it
import { DEFAULT_RETRY_DELAYS_SECONDS, nextDelayMs, throttledDelayMs } from '../dispatch/retry-policy.ts'
import type { RetenAnswer } from '../reten/reten-answer.ts'
import type { ResultAccepted } from '../schema-types.ts'

export type ReportDecision =
  | { readonly kind: 'reported'; readonly retenResultId: string | undefined }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly isCharged: boolean; readonly isFateUnknown: boolean }
  /** Reten refuses our key: the report waits, uncharged, until reporting goes on. */
  | {
      readonly kind: 'pause_reporting'
      readonly reason: string
      readonly delayMs: number
      readonly isFateUnknown: boolean
    }
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

// Due when reporting goes on, and behind all that waits by now.
const PAUSED_DELAY_MS = 1_000

/** What follows from one answer. */
export function decideReport(answer: RetenAnswer<ResultAccepted>, facts: ReportFacts): ReportDecision {
  switch (answer.kind) {
    case 'ok':
      return { kind: 'reported', retenResultId: answer.value.id }
    case 'refused':
      return decideRefusal(answer.status, answer.message, facts)
    case 'unavailable': {
      // Whoever said it, with a body of Reten's or without: nothing was carried out.
      if (answer.status === 401) return pauseReporting(answer.message, facts)
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
    return pauseReporting(message, facts)
  }
  const state = facts.isFateUnknown ? 'unproven' : 'failed'
  return { kind: 'ended', state, reasonCode: `http_${status}`, reason: message }
}

function pauseReporting(reason: string, { isFateUnknown }: ReportFacts): ReportDecision {
  return { kind: 'pause_reporting', reason, delayMs: PAUSED_DELAY_MS, isFateUnknown }
}
