// From a provider's answer to a cancellation to what happens to the job: pure, so that every pair can be tabled in a test.
// Asking again is harmless, so an answer that was lost is simply asked for again.
import type { CancelOutcome } from './outcome.ts'
import { DEFAULT_RETRY_DELAYS_SECONDS, nextDelayMs, throttledDelayMs } from './retry-policy.ts'
import type { Cancellation } from './states.ts'

export type CancelDecision =
  | { readonly kind: 'ended'; readonly cancellation: Exclude<Cancellation, 'requested'> }
  | { readonly kind: 'retry'; readonly delayMs: number; readonly isCharged: boolean }
  /** The connection is at fault: the job waits, uncharged, until the connection is resumed. */
  | { readonly kind: 'pause_connection'; readonly reason: string; readonly delayMs: number }

export interface CancelFacts {
  /** Charged tries before this one. */
  readonly attempts: number
  readonly retryDelaysSeconds: readonly number[] | undefined
  /** From 0 to 1. */
  readonly random: () => number
}

// A resumed connection's jobs are due at once by then; the delay only spreads them.
const PAUSED_DELAY_MS = 1_000

/** What follows from one answer. */
export function decideCancel(outcome: CancelOutcome, facts: CancelFacts): CancelDecision {
  const delays = facts.retryDelaysSeconds ?? DEFAULT_RETRY_DELAYS_SECONDS
  switch (outcome.kind) {
    case 'canceled':
    case 'too_late':
    case 'unsupported':
      return { kind: 'ended', cancellation: outcome.kind }
    case 'rejected':
      return { kind: 'ended', cancellation: 'refused' }
    case 'retry':
    case 'ambiguous': {
      const atLeastMs = outcome.kind === 'retry' ? outcome.retryAfterMs : undefined
      const delayMs = nextDelayMs(delays, facts.attempts + 1, facts.random, atLeastMs)
      if (delayMs === undefined) return { kind: 'ended', cancellation: 'gave_up' }
      return { kind: 'retry', delayMs, isCharged: true }
    }
    case 'throttled':
      return { kind: 'retry', delayMs: throttledDelayMs(delays, facts.random, outcome.retryAfterMs), isCharged: false }
    case 'unauthorized':
      // A key may well deliver and not cancel: tasks that exist are no reason to stop those to come, again and again.
      if (outcome.exchange?.status === 403) return { kind: 'ended', cancellation: 'refused' }
      return { kind: 'pause_connection', reason: outcome.message, delayMs: PAUSED_DELAY_MS }
    default:
      return outcome satisfies never
  }
}
