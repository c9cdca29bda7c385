// When a job that did not succeed is tried again.
//
//  after try   1    2     3     4      5      6     7    8    9    10   11    12+
//  wait        2 s  5 s   15 s  1 min  3 min  8 min 20 m 1 h  2 h  4 h  6 h   8 h
//
// About a day in all (21.5 h): first retries in seconds, since most faults are deploys; then minutes; then hours, so that a
// provider that is down over night is met again in the morning.

/** Seconds to wait after the n-th charged try; the try after the last entry is given up. */
export const DEFAULT_RETRY_DELAYS_SECONDS: readonly number[] = Object.freeze([
  2, 5, 15, 60, 180, 480, 1_200, 3_600, 7_200, 14_400, 21_600, 28_800,
])

/** ±20 %: enough to keep a burst of failures from coming back as a burst. */
const JITTER = 0.2

/**
 * Milliseconds until the next try after `attempts` charged tries, or undefined when they are used up.
 * `retryAfterMs`, the destination's own wish, can only lengthen the wait, and never beyond the longest step of the table.
 * `random` answers numbers from 0 to 1.
 */
export function nextDelayMs(
  delaysSeconds: readonly number[],
  attempts: number,
  random: () => number,
  retryAfterMs = 0,
): number | undefined {
  const seconds = delaysSeconds[attempts - 1]
  if (seconds === undefined) return undefined
  const jittered = seconds * 1_000 * (1 - JITTER + 2 * JITTER * random())
  const longestMs = Math.max(...delaysSeconds) * 1_000
  return Math.round(Math.max(jittered, Math.min(retryAfterMs, longestMs)))
}

/** A destination that says "slower" without a time gets this long. */
export const THROTTLED_DELAY_MS = 5_000
const SHORTEST_THROTTLED_DELAY_MS = 1_000

/**
 * Milliseconds until the next try of a job that was asked to slow down, which costs no try: as long as the destination wishes
 * or a few seconds, never beyond the longest step of the table, and spread so that all do not come back at once.
 */
export function throttledDelayMs(
  delaysSeconds: readonly number[],
  random: () => number,
  retryAfterMs: number | undefined,
): number {
  const longestMs = Math.max(...delaysSeconds) * 1_000
  const wishedMs = Math.min(Math.max(retryAfterMs ?? THROTTLED_DELAY_MS, SHORTEST_THROTTLED_DELAY_MS), longestMs)
  return Math.round(Math.max(wishedMs, SHORTEST_THROTTLED_DELAY_MS) * (1 + JITTER * random()))
}
