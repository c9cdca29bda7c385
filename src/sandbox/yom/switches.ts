/** A way for a task to end. */
export interface ResultChoice {
  readonly code: string
  readonly status: 'EFFECTIVE' | 'NOT_EFFECTIVE'
  /** Whether the outcome names a date in the future. */
  readonly hasFutureDate: boolean
}

/** Nothing about tasks is public at YOM: **every switch here is an assumption**, and its default is the one we test most. */
export interface YomSwitches {
  /**
   * `key`: a repeat with the same Idempotency-Key is answered with the same task. `lookup`: every request makes a task,
   * but tasks are found by `GET ?externalId=`. `none`: every request makes a task, and they cannot be searched.
   */
  readonly idempotency: 'key' | 'lookup' | 'none'
  /** What becomes of the same key with another body: 422, or the first answer again. */
  readonly keyReuse: 'refuse' | 'same_answer'
  /** How the end of a task is told. */
  readonly completion: 'webhook' | 'poll' | 'both' | 'none'
  /** Whether the webhook also tells that the work has begun, with status PENDING. */
  readonly sendsProgress: boolean
  /** How long a task takes, in sandbox milliseconds, drawn between the two. */
  readonly workMinMs: number
  readonly workMaxMs: number
  /** How much longer a `late` webhook takes, in sandbox milliseconds. */
  readonly lateByMs: number
  /** What tasks end with, drawn evenly. */
  readonly results: readonly ResultChoice[]
  /** Tries of one webhook, the first included, and the wait before the second, which doubles; sandbox milliseconds. */
  readonly webhookAttempts: number
  readonly webhookRetryMs: number
  /** Real milliseconds the receiver has for its answer. */
  readonly webhookTimeoutMs: number
  /** Whether a task that is not done can be cancelled; otherwise the route is unknown. */
  readonly canCancel: boolean
  /** Whether this customer has the task feature at all; without it every task is refused with 403. */
  readonly hasTasks: boolean
  /** Commerces this customer does not have; tasks for them are refused with 404. */
  readonly unknownCommerces: readonly string[]
  /** Requests answered per real second before 429; 0 is no limit. */
  readonly requestsPerSecond: number
  /** Life of a token, in sandbox seconds. */
  readonly tokenLifetimeSeconds: number
}

/** The stand-in's behaviour when nobody says otherwise. */
export const defaultYomSwitches: YomSwitches = Object.freeze({
  idempotency: 'key',
  keyReuse: 'refuse',
  completion: 'webhook',
  sendsProgress: false,
  workMinMs: 200,
  workMaxMs: 2000,
  lateByMs: 30_000,
  results: Object.freeze([
    { code: 'SALE_COMPLETED', status: 'EFFECTIVE', hasFutureDate: false },
    { code: 'NOT_INTERESTED', status: 'NOT_EFFECTIVE', hasFutureDate: false },
    { code: 'NO_CONTACT', status: 'NOT_EFFECTIVE', hasFutureDate: false },
    { code: 'RESCHEDULE', status: 'NOT_EFFECTIVE', hasFutureDate: true },
  ] as const),
  webhookAttempts: 8,
  webhookRetryMs: 500,
  webhookTimeoutMs: 10_000,
  canCancel: true,
  hasTasks: true,
  unknownCommerces: Object.freeze([]),
  requestsPerSecond: 0,
  tokenLifetimeSeconds: 3600,
})

const whole = { type: 'integer', minimum: 0 } as const
const positive = { type: 'integer', minimum: 1 } as const
const boolean = { type: 'boolean' } as const

/** The JSON Schema of a change of switches. */
export const yomSwitchesSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    idempotency: { enum: ['key', 'lookup', 'none'] },
    keyReuse: { enum: ['refuse', 'same_answer'] },
    completion: { enum: ['webhook', 'poll', 'both', 'none'] },
    sendsProgress: boolean,
    workMinMs: whole,
    workMaxMs: whole,
    lateByMs: whole,
    results: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['code', 'status', 'hasFutureDate'],
        additionalProperties: false,
        properties: {
          code: { type: 'string', minLength: 1 },
          status: { enum: ['EFFECTIVE', 'NOT_EFFECTIVE'] },
          hasFutureDate: boolean,
        },
      },
    },
    webhookAttempts: positive,
    webhookRetryMs: whole,
    webhookTimeoutMs: positive,
    canCancel: boolean,
    hasTasks: boolean,
    unknownCommerces: { type: 'array', items: { type: 'string' } },
    requestsPerSecond: whole,
    tokenLifetimeSeconds: positive,
  },
} as const
