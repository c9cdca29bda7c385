// From Reten's answer to what happens to the report: pure, so that every pair can be tabled in a test.
//
//  201                     reported
//  409                     read back: our own result, or another one's (decide-read-back.ts)
//  401, 403, wrong address the connection is at fault, not the result: reporting is paused, nothing is charged
//  400, 404, other 4xx     failed, with Reten's words; read back where an earlier try may have put it there, or where it was to
//                          overwrite something
//  429                     later, uncharged
//  5xx, no answer          later; used up: failed, or unproven where Reten may have it
import { DEFAULT_RETRY_DELAYS_SECONDS, nextDelayMs, throttledDelayMs } from '../dispatch/retry-policy.ts'
import type { RetenSide } from '../dispatch/result.ts'
import type { RetenAnswer } from '../reten/reten-answer.ts'
import type { ResultAccepted } from '../schema-types.ts'

export type ReportDecision =
  | { readonly kind: 'reported'; readonly retenResultId: string | undefined; readonly retenSide?: RetenSide }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly isCharged: boolean; readonly isFateUnknown: boolean }
  /** Reten refuses our key, or is not where we look for it: the report waits, uncharged, until reporting goes on. */
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
      readonly retenSide?: RetenSide
    }

/** What Reten refused, and whether it has our result all the same: only its list can tell. */
export interface Question {
  readonly kind: 'read_back'
  readonly status: number
  /** Reten's words. */
  readonly reason: string
}

export interface ReportFacts {
  /** Charged tries before this one. */
  readonly attempts: number
  /** Whether an earlier try may have put the result there. */
  readonly isFateUnknown: boolean
  /** Whether it was sent with `hard_override`. */
  readonly isOverwriting: boolean
  readonly retryDelaysSeconds: readonly number[] | undefined
  /** From 0 to 1. */
  readonly random: () => number
}

// Due when reporting goes on, and behind all that waits by now.
const PAUSED_DELAY_MS = 1_000

/** What follows from one answer. */
export function decideReport(answer: RetenAnswer<ResultAccepted>, facts: ReportFacts): ReportDecision | Question {
  switch (answer.kind) {
    case 'ok':
      return { kind: 'reported', retenResultId: answer.value.id }
    case 'refused':
      return decideRefusal(answer.status, answer.message, facts)
    case 'unavailable': {
      const isFateUnknown = facts.isFateUnknown || answer.isSent
      // A 401, whoever said it, with a body of Reten's or without: nothing was carried out.
      if (answer.status === 401) return pauseReporting(answer.message, facts.isFateUnknown)
      if (answer.code === 'address_wrong') return pauseReporting(answer.message, isFateUnknown)
      if (answer.code === 'http_429') {
        const delays = facts.retryDelaysSeconds ?? DEFAULT_RETRY_DELAYS_SECONDS
        const slowerMs = throttledDelayMs(delays, facts.random, answer.retryAfterMs)
        return { kind: 'retry', delayMs: slowerMs, isCharged: false, isFateUnknown }
      }
      return retryOrGiveUp({ ...facts, isFateUnknown }, answer.message, answer.retryAfterMs)
    }
    default:
      return answer satisfies never
  }
}

/** Tried again by the connection's delays; used up, it ends, and what Reten may have is unproven. */
export function retryOrGiveUp(facts: ReportFacts, reason: string, retryAfterMs?: number): ReportDecision {
  const { isFateUnknown, random, retryDelaysSeconds } = facts
  const delays = retryDelaysSeconds ?? DEFAULT_RETRY_DELAYS_SECONDS
  const delayMs = nextDelayMs(delays, facts.attempts + 1, random, retryAfterMs)
  if (delayMs !== undefined) return { kind: 'retry', delayMs, isCharged: true, isFateUnknown }
  const state = isFateUnknown ? 'unproven' : 'failed'
  return { kind: 'ended', state, reasonCode: 'gave_up', reason }
}

function decideRefusal(status: number, reason: string, facts: ReportFacts): ReportDecision | Question {
  if (status === 401 || status === 403) return pauseReporting(reason, facts.isFateUnknown)
  if (status === 409 || facts.isFateUnknown || facts.isOverwriting) return { kind: 'read_back', status, reason }
  return { kind: 'ended', state: 'failed', reasonCode: `http_${status}`, reason }
}

function pauseReporting(reason: string, isFateUnknown: boolean): ReportDecision {
  return { kind: 'pause_reporting', reason, delayMs: PAUSED_DELAY_MS, isFateUnknown }
}
