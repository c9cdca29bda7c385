// What an answer says about when its sender wants to be called again, whatever it answered. Nonsense is no wish.
//
//  Retry-After                                429 and 503 only: elsewhere it is about that one request
//  RateLimit: "a";r=0;t=30, "b";r=9;t=60      IETF draft ratelimit-headers-08 and later: remaining, seconds
//  RateLimit: limit=9, remaining=0, reset=30  the draft's -07
//  RateLimit-Remaining, RateLimit-Reset       the draft up to -06: a count, seconds
//  X-RateLimit-Remaining, X-RateLimit-Reset   no standard: seconds from now, or since 1970, or milliseconds since 1970
import { readRetryAfterMs } from './retry-after.ts'
import { SECOND_MS } from './time.ts'

export interface AnswerHead {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

const TOO_MANY_REQUESTS = 429
const SERVICE_UNAVAILABLE = 503

// A 429 that names no time still says that it is too much.
const UNNAMED_MS = 5 * SECOND_MS

// Below the first a number is seconds from now (31 years), up to the second seconds since 1970, above it milliseconds.
const FIRST_EPOCH_SECOND = 1e9
const FIRST_EPOCH_MILLISECOND = 1e11

const NUMBER = /^\d+(\.\d+)?$/

/**
 * Milliseconds for which the sender of this answer wants no further call, 0 or more and not clamped; undefined where it has no
 * such wish. `nowMs` is the time of the answer.
 */
export function readHoldOffMs({ status, headers }: AnswerHead, nowMs: number): number | undefined {
  const speaksForAll = status === TOO_MANY_REQUESTS || status === SERVICE_UNAVAILABLE
  // Where both are sent, the draft gives Retry-After precedence.
  const retryAfterMs = speaksForAll ? readRetryAfterMs(headers['retry-after'], nowMs) : undefined
  if (retryAfterMs !== undefined) return retryAfterMs
  const spentMs =
    readField(headers['ratelimit']) ??
    readPair(headers['ratelimit-remaining'], headers['ratelimit-reset'], nowMs) ??
    readPair(headers['x-ratelimit-remaining'], headers['x-ratelimit-reset'], nowMs)
  return spentMs ?? (status === TOO_MANY_REQUESTS ? UNNAMED_MS : undefined)
}

/** The longest wait of the quotas that are used up. */
function readField(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const quotas = /\bremaining\s*=/.test(value) ? [value.split(',')] : value.split(',').map((quota) => quota.split(';'))
  const waits = quotas.flatMap((parameters) => {
    const read = (...names: readonly string[]): number | undefined => {
      const found = parameters
        .map((parameter) => parameter.split('='))
        .find(([name]) => names.includes(name?.trim() ?? ''))
      return readNumber(found?.[1])
    }
    const resetSeconds = read('t', 'reset')
    return read('r', 'remaining') === 0 && resetSeconds !== undefined ? [resetSeconds * SECOND_MS] : []
  })
  return waits.length === 0 ? undefined : Math.max(...waits)
}

function readPair(remaining: string | undefined, reset: string | undefined, nowMs: number): number | undefined {
  return readNumber(remaining) === 0 ? readResetMs(reset, nowMs) : undefined
}

function readResetMs(value: string | undefined, nowMs: number): number | undefined {
  const number = readNumber(value)
  if (number === undefined) return readRetryAfterMs(value, nowMs) // some write a date
  if (number < FIRST_EPOCH_SECOND) return number * SECOND_MS
  const atMs = number < FIRST_EPOCH_MILLISECOND ? number * SECOND_MS : number
  return Math.max(0, atMs - nowMs)
}

function readNumber(value: string | undefined): number | undefined {
  const text = value?.trim() ?? ''
  return NUMBER.test(text) ? Number(text) : undefined
}
