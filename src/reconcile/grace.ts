import { MINUTE_MS, SECOND_MS } from '../time.ts'

// Three attempts, half a minute apart, each with up to ten seconds for its answer, and as much again.
const THREE_ATTEMPTS_MS = 3 * MINUTE_MS
// Source: Reten's dispatcher takes at most 100 activities of a tenant every 30 seconds.
const [BATCH, BATCH_MS] = [100, 30 * SECOND_MS]
// What has not been pushed by then is not going to be, or Reten's dispatcher stands still and its backlog tells nothing.
const LONGEST_MS = 30 * MINUTE_MS

/**
 * How long after its creation the push of an activity may be on its way, in milliseconds: until all that wait with it have been
 * taken by Reten's dispatcher, and tried three times. Taken too early it would be delivered with what the list tells of it, which
 * is less than what a push does.
 */
export function graceMs(waiting: number): number {
  return Math.min(THREE_ATTEMPTS_MS + Math.ceil(waiting / BATCH) * BATCH_MS, LONGEST_MS)
}
