// Reads Retry-After. Source: RFC 9110, section 10.2.3: seconds, or an HTTP date in one of its three forms.
import { DAY_MS, SECOND_MS } from './time.ts'

/** Several headers arrive joined by commas: the longest wish is met. */
const SECONDS = /^\d+(?:\s*,\s*\d+)*$/
// Date.parse alone takes "-5" for a year; only what begins like an HTTP date is given to it.
const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /
/** No wish beyond this is told apart from "very long"; it also keeps any number of digits finite. */
const LONGEST_MS = 366 * DAY_MS

/**
 * Milliseconds to wait, from 0 to 366 days, or undefined where the header is absent or unreadable. A date that has passed
 * means 0. `nowMs` is the time of the answer.
 */
export function readRetryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? ''
  if (SECONDS.test(text)) return Math.min(Math.max(...text.split(',').map(Number)) * SECOND_MS, LONGEST_MS)
  if (!HTTP_DATE.test(text)) return undefined
  // The oldest form, asctime, names no zone; it means GMT like the others.
  const at = Date.parse(/(?:GMT|UTC)$/.test(text) ? text : `${text} GMT`)
  return Number.isNaN(at) ? undefined : Math.min(Math.max(at - nowMs, 0), LONGEST_MS)
}
