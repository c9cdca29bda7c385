// What an adapter answers for one delivery. A refusal by the provider is a value; an exception is a fault of ours.
import type { ResultContent } from './result.ts'

/** What went over the wire, for an operator's eyes: capped, secrets cut by the adapter. */
export interface Exchange {
  /** HTTP status, where there was an answer. */
  readonly status?: number | undefined
  readonly request?: string | undefined
  readonly response?: string | undefined
}

interface Said {
  /** Stable and machine-readable, e.g. `http_503`, `timeout`, `yom_task_feature_off`. */
  readonly code: string
  /** One sentence for an operator, with the provider's own words. */
  readonly message: string
  readonly exchange?: Exchange | undefined
}

/** The provider has it; `result` where the answer already carries what became of it. */
export interface Accepted {
  readonly kind: 'accepted'
  readonly providerTaskId?: string | undefined
  readonly result?: ResultContent | undefined
  readonly exchange?: Exchange | undefined
}

/** It surely did not happen, and may later. */
export interface Retry extends Said {
  readonly kind: 'retry'
  /** The provider's wish; clamped by the retry policy. */
  readonly retryAfterMs?: number | undefined
}

/** The provider asks us to slow down; costs no attempt. */
export interface Throttled extends Said {
  readonly kind: 'throttled'
  readonly retryAfterMs?: number | undefined
}

/** Final: repeating cannot help until somebody changes something. */
export interface Rejected extends Said {
  readonly kind: 'rejected'
}

/** It was sent and the answer is unknown: look it up before repeating, or repeat only where that is harmless. */
export interface Ambiguous extends Said {
  readonly kind: 'ambiguous'
}

/** Our credentials are not good; the connection is at fault, not this dispatch. */
export interface Unauthorized extends Said {
  readonly kind: 'unauthorized'
}

/** It is not done and will not be: the task is cancelled, or the provider knows for sure that it has none. */
export interface Canceled {
  readonly kind: 'canceled'
  readonly exchange?: Exchange | undefined
}

/** The work is done, or too far to be stopped; what became of it will be told. */
export interface TooLate extends Said {
  readonly kind: 'too_late'
}

/** The provider does not cancel tasks. */
export interface Unsupported extends Said {
  readonly kind: 'unsupported'
}

export type Outcome = Accepted | Retry | Throttled | Rejected | Ambiguous | Unauthorized
export type OutcomeKind = Outcome['kind']

/** What an adapter answers for one cancellation; asking again is harmless, so an unknown fate is asked again. */
export type CancelOutcome = Canceled | TooLate | Unsupported | Exclude<Outcome, Accepted>

export const CANCEL_OUTCOME_KINDS: readonly CancelOutcome['kind'][] = Object.freeze([
  'canceled',
  'too_late',
  'unsupported',
  'retry',
  'throttled',
  'rejected',
  'ambiguous',
  'unauthorized',
])

export const OUTCOME_KINDS: readonly OutcomeKind[] = Object.freeze([
  'accepted',
  'retry',
  'throttled',
  'rejected',
  'ambiguous',
  'unauthorized',
])
