// From an outcome to what happens to the job: pure, so that every pair can be tabled in a test.
import type { Outcome, Unauthorized } from './outcome.ts'
import type { ResultContent } from './result.ts'
import { DEFAULT_RETRY_DELAYS_SECONDS, nextDelayMs, throttledDelayMs } from './retry-policy.ts'

export type DeliveryDecision =
  | {
      readonly kind: 'delivered'
      readonly providerTaskId: string | undefined
      readonly result: ResultContent | undefined
    }
  | {
      readonly kind: 'retry'
      readonly delayMs: number
      /** Whether the try counts against the destination's retries. */
      readonly isCharged: boolean
      readonly isFateUnknown: boolean
    }
  | { readonly kind: 'failed'; readonly reasonCode: string }
  | { readonly kind: 'parked'; readonly reason: string }
  /** The connection is at fault: the job waits, uncharged, until the connection is resumed. */
  | { readonly kind: 'pause_connection'; readonly reason: string; readonly delayMs: number }

export interface DeliveryFacts {
  /** Charged tries before this one. */
  readonly attempts: number
  readonly retryDelaysSeconds: readonly number[] | undefined
  readonly idempotency: 'key' | 'lookup' | 'none'
  /** Whether an earlier try may have done the work; false again once a search proved that it did not. */
  readonly isFateUnknown: boolean
  /** Tries of this job before this one that ended with the credentials at fault. */
  readonly refusals: number
  /** Whether the provider has taken nothing since it last refused our key. */
  readonly isOnTrial: boolean
  /** From 0 to 1. */
  readonly random: () => number
}

// Due when the connection goes on, and behind all that waits by now: a job that is refused for itself does not have every trial.
const PAUSED_DELAY_MS = 1_000

/**
 * A provider may say 403 of one dispatch (this seller may not see that commerce) as well as of a key. One that met it this
 * often before, while the provider took others in between, is refused for itself.
 */
const REFUSALS_BEFORE_ITS_OWN = 2

/**
 * A request whose answer was lost may still be carried out: searched for no sooner than this, or a slow provider's task
 * would be taken for one that does not exist.
 */
export const SEARCH_DELAY_MS = 10_000

/** What follows from one outcome. Once the fate of a try is unknown it stays so until something proves it. */
export function decideDelivery(outcome: Outcome, facts: DeliveryFacts): DeliveryDecision {
  const { isFateUnknown, idempotency } = facts
  switch (outcome.kind) {
    case 'accepted':
      return { kind: 'delivered', providerTaskId: outcome.providerTaskId, result: outcome.result }
    case 'rejected':
      return reject(outcome.code, facts)
    case 'retry':
      return retryOrGiveUp(facts, isFateUnknown, outcome.retryAfterMs)
    case 'ambiguous':
      if (idempotency === 'none') return { kind: 'parked', reason: outcome.code }
      return notBefore(idempotency === 'lookup' ? SEARCH_DELAY_MS : 0, retryOrGiveUp(facts, true, undefined))
    case 'throttled':
      return { kind: 'retry', delayMs: slowerBy(facts, outcome.retryAfterMs), isCharged: false, isFateUnknown }
    case 'unauthorized':
      if (isRefusedForItself(outcome, facts)) return reject(outcome.code, facts)
      return { kind: 'pause_connection', reason: outcome.message, delayMs: PAUSED_DELAY_MS }
    default:
      return outcome satisfies never
  }
}

/** A provider that knows our key would have recognised the task; any other may refuse a repeat of what it has done. */
function reject(code: string, { isFateUnknown, idempotency }: DeliveryFacts): DeliveryDecision {
  if (isFateUnknown && idempotency !== 'key') return { kind: 'parked', reason: code }
  return { kind: 'failed', reasonCode: code }
}

function isRefusedForItself({ exchange }: Unauthorized, { refusals, isOnTrial }: DeliveryFacts): boolean {
  return exchange?.status === 403 && !isOnTrial && refusals >= REFUSALS_BEFORE_ITS_OWN
}

function retryOrGiveUp(facts: DeliveryFacts, isFateUnknown: boolean, atLeastMs: number | undefined): DeliveryDecision {
  const delays = facts.retryDelaysSeconds ?? DEFAULT_RETRY_DELAYS_SECONDS
  const delayMs = nextDelayMs(delays, facts.attempts + 1, facts.random, atLeastMs)
  if (delayMs !== undefined) return { kind: 'retry', delayMs, isCharged: true, isFateUnknown }
  // Given up with an unknown fate is not a failure yet: the task may exist, and only a person can look.
  return isFateUnknown ? { kind: 'parked', reason: 'fate_unknown' } : { kind: 'failed', reasonCode: 'gave_up' }
}

/** Unlike a wish of the provider, this is met however short the connection's own steps are. */
function notBefore(delayMs: number, decision: DeliveryDecision): DeliveryDecision {
  return decision.kind === 'retry' ? { ...decision, delayMs: Math.max(delayMs, decision.delayMs) } : decision
}

function slowerBy(facts: DeliveryFacts, retryAfterMs: number | undefined): number {
  return throttledDelayMs(facts.retryDelaysSeconds ?? DEFAULT_RETRY_DELAYS_SECONDS, facts.random, retryAfterMs)
}
