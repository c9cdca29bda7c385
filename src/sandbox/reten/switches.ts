import { payloadShapes, type PayloadShape } from './records.ts'

/**
 * Where Reten's documentation is silent or contradicts itself, the stand-in can act either way. **Every default here is
 * an assumption**, not a documented fact, unless its comment says `documented`.
 */
export interface RetenSwitches {
  /** The body of a dispatch; `mixed` varies it from activity to activity among the three likely ones. */
  readonly payloadShape: PayloadShape | 'mixed'
  /** Where the provider's id is looked for in its reply, first match wins. */
  readonly providerIdKeys: readonly string[]
  /** Sandbox milliseconds between runs of the dispatcher (documented: 30 s). */
  readonly dispatchPeriodMs: number
  /** Activities of one tenant taken in one run (documented: 100). */
  readonly dispatchBatch: number
  /** Attempts before an activity becomes FAILED (documented: 3). */
  readonly dispatchAttempts: number
  /** Real milliseconds that a provider has for its answer. */
  readonly dispatchTimeoutMs: number
  /** Pushes under way at once within a run. */
  readonly dispatchConcurrency: number
  /** Pushes begun per real second; 0 is no limit. */
  readonly dispatchRatePerSecond: number
  /** Whether a 4xx is tried again, or makes the activity FAILED at once. */
  readonly retryOnClientError: boolean
  /** Throws the first reply to every activity away unread, so that each is sent at least twice. */
  readonly loseFirstReply: boolean
  /** What `/integration` says to a result for an unknown activity; the guide and the error page disagree. */
  readonly unmatchedActivity: 'not_found' | 'standalone'
  /** The status of a result refused because it occurred before the stored one was written. */
  readonly temporalGuardStatus: 409 | 400
  /** The status of a result refused because the activity's state does not allow it. */
  readonly transitionGuardStatus: 409 | 400
  /** What NOT_EFFECTIVE makes of an activity. */
  readonly notEffectiveBecomes: 'COMPLETED' | 'FAILED'
  /** `message` of a 400: one text, or a list as the framework Reten seems to use gives it. */
  readonly messageShape: 'string' | 'array'
  /** How the integration list shows an activity whose dispatch failed for good. */
  readonly failedInList: 'PENDING' | 'COMPLETED' | 'CANCELLED' | 'hidden'
  /** Whether an activity whose dispatch failed for good takes a result. */
  readonly failedTakesResults: 'accept' | 'refuse'
  /** A result that names another commerce than the activity's. */
  readonly commerceMismatch: 'refuse' | 'accept'
  /** A result that names an unknown operator; `isPlaceholder` in the documentation hints at the second. */
  readonly unknownOperator: 'not_found' | 'placeholder'
  /** Attribute keys that cannot be resolved at present: activities that ask for them are UNRESOLVED. */
  readonly unresolvableAttributes: readonly string[]
  /** The order of the integration list. */
  readonly listOrder: 'newest' | 'oldest'
  /** Whether rows of the integration list carry operator, provider id and result; only prose says so. */
  readonly listResultFields: boolean
}

/** The stand-in's behaviour when nobody says otherwise. */
export const defaultRetenSwitches: RetenSwitches = Object.freeze({
  payloadShape: 'nested-camel',
  providerIdKeys: Object.freeze(['id', 'providerActivityId', 'provider_activity_id', 'activityId']),
  dispatchPeriodMs: 30_000,
  dispatchBatch: 100,
  dispatchAttempts: 3,
  dispatchTimeoutMs: 10_000,
  dispatchConcurrency: 10,
  dispatchRatePerSecond: 0,
  retryOnClientError: true,
  loseFirstReply: false,
  unmatchedActivity: 'not_found',
  temporalGuardStatus: 409,
  transitionGuardStatus: 409,
  notEffectiveBecomes: 'COMPLETED',
  messageShape: 'string',
  failedInList: 'PENDING',
  failedTakesResults: 'accept',
  commerceMismatch: 'refuse',
  unknownOperator: 'not_found',
  unresolvableAttributes: Object.freeze([]),
  listOrder: 'newest',
  listResultFields: true,
})

const whole = { type: 'integer', minimum: 0 } as const
const positive = { type: 'integer', minimum: 1 } as const
const boolean = { type: 'boolean' } as const

/** The JSON Schema of a change of switches. */
export const retenSwitchesSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    payloadShape: { enum: [...payloadShapes, 'mixed'] },
    providerIdKeys: { type: 'array', minItems: 1, items: { type: 'string' } },
    dispatchPeriodMs: positive,
    dispatchBatch: positive,
    dispatchAttempts: positive,
    dispatchTimeoutMs: positive,
    dispatchConcurrency: positive,
    dispatchRatePerSecond: whole,
    retryOnClientError: boolean,
    loseFirstReply: boolean,
    unmatchedActivity: { enum: ['not_found', 'standalone'] },
    temporalGuardStatus: { enum: [409, 400] },
    transitionGuardStatus: { enum: [409, 400] },
    notEffectiveBecomes: { enum: ['COMPLETED', 'FAILED'] },
    messageShape: { enum: ['string', 'array'] },
    failedInList: { enum: ['PENDING', 'COMPLETED', 'CANCELLED', 'hidden'] },
    failedTakesResults: { enum: ['accept', 'refuse'] },
    commerceMismatch: { enum: ['refuse', 'accept'] },
    unknownOperator: { enum: ['not_found', 'placeholder'] },
    unresolvableAttributes: { type: 'array', items: { type: 'string' } },
    listOrder: { enum: ['newest', 'oldest'] },
    listResultFields: boolean,
  },
} as const
