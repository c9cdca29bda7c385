// What became of an activity, in Reten's result vocabulary.

export const RESULT_STATUSES = ['EFFECTIVE', 'NOT_EFFECTIVE', 'PENDING'] as const

/** The integration endpoint's status words; the other family of Reten's documentation (COMPLETED, …) is not accepted there. */
export type ResultStatus = (typeof RESULT_STATUSES)[number]

export type ContactType = 'INBOUND' | 'OUTBOUND'

/** A result as the provider, the adapter or an operator told it; `occurredAt` is the provider's time, not ours. */
export interface ResultContent {
  /** The provider's own id of the event; undefined where it has none, and the content itself is then the identity. */
  readonly eventId?: string | undefined
  readonly status: ResultStatus
  /** A code of the tenant's result types, case-sensitive. */
  readonly code: string
  /** ISO 8601 with milliseconds, UTC. */
  readonly occurredAt: string
  readonly externalStatus?: string | undefined
  readonly comment?: string | undefined
  readonly contactType?: ContactType | undefined
  readonly operatorExternalId?: string | undefined
  /** ISO 8601; compulsory for codes whose type says so. */
  readonly futureScheduledAt?: string | undefined
}

/**
 * - `pending`: to be reported. `reported`: it stands at Reten. `failed`: Reten refuses it, with its words.
 * - `conflict`: Reten holds another result. `unproven`: Reten may hold ours, but nothing shows it.
 * - `superseded`: a later revision took its place. `unreportable`: Reten has no endpoint for this type yet.
 */
export const RESULT_STATES = [
  'pending',
  'reported',
  'unproven',
  'conflict',
  'failed',
  'superseded',
  'unreportable',
] as const

export type ResultState = (typeof RESULT_STATES)[number]

/** Who told it: the provider in its answer or by webhook, a person, or this service itself where a setting says so. */
export type ResultSource = 'adapter' | 'webhook' | 'operator' | 'service'

/** What Reten's list showed of an activity; a field that its row does not have is absent, an empty one null. */
export interface RetenSide {
  /** When it was read, ISO 8601. */
  readonly readAt: string
  /** False where the list does not show the activity at all. */
  readonly isListed: boolean
  readonly status?: string | null | undefined
  readonly resultStatus?: string | null | undefined
  readonly occurredAt?: string | null | undefined
  /** The result's code, where the row has one: an assumption. */
  readonly result?: string | null | undefined
}

/** Whether a result ends its activity: PENDING announces one, the others are one. */
export function isFinal(status: ResultStatus): boolean {
  return status !== 'PENDING'
}

/** Activity types that Reten takes results for: its integration section is for TASK only. */
export const REPORTABLE_TYPES: readonly string[] = Object.freeze(['TASK'])
