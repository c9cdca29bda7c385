/** What can go wrong with a request that a stand-in answers. */
export const requestFaults = [
  'reset_before', // the connection is reset before any work
  'error_before', // 500, nothing done
  'throttled', // 429 without a Retry-After, nothing done
  'throttled_seconds', // 429 with a Retry-After in seconds, nothing done
  'throttled_date', // 429 with a Retry-After that is a date, nothing done
  'slow', // the work is done and answered, late
  'lost_after', // the work is done, the connection dies without an answer
  'error_after', // the work is done, the answer says 502
  'half_answer', // the work is done, the answer breaks off in the middle
  'wrong_type', // the work is done, the answer is a page of HTML
] as const

/** What can go wrong when Reten's stand-in dispatches. */
export const dispatchFaults = [
  'never_sent', // the attempt fails before a byte is sent
  'hung_up', // everything is sent, then the connection is closed without waiting
  'reply_lost', // the reply arrives and is thrown away: a failed attempt, so it comes again
  'duplicate', // acknowledged, and sent again afterwards
  'twice_at_once', // sent twice at the same moment
] as const

/** What can go wrong when YOM's stand-in calls back. */
export const webhookFaults = [
  'doubled', // the same event twice, one after the other
  'late', // long after it happened
  'reordered', // the event that the work began arrives after the one that it ended
  'early', // before the creation of the task is answered
] as const

/** A kind of fault, of any place. */
export type FaultKind =
  (typeof requestFaults)[number] | (typeof dispatchFaults)[number] | (typeof webhookFaults)[number]

/** Where faults strike: Reten's dispatches and results endpoint, YOM's tasks, token grant and webhooks. */
export const faultPlaces = ['dispatch', 'results', 'tasks', 'token', 'webhook'] as const

/** One of the places. */
export type FaultPlace = (typeof faultPlaces)[number]

/** What can happen at each place. */
export const faultKindsAt: Readonly<Record<FaultPlace, readonly FaultKind[]>> = {
  dispatch: dispatchFaults,
  results: requestFaults,
  tasks: requestFaults,
  token: requestFaults,
  webhook: webhookFaults,
}
