import type { FaultKind, FaultPlace } from './fault-kinds.ts'

/** The chance of each kind, per place; what is missing never happens. */
export type FaultOdds = Readonly<Partial<Record<FaultPlace, Readonly<Partial<Record<FaultKind, number>>>>>>

/** A named amount of trouble. */
export type FaultProfile = 'none' | 'some' | 'storm'

const SOME_REQUESTS = {
  reset_before: 0.02,
  error_before: 0.02,
  throttled: 0.01,
  throttled_seconds: 0.01,
  throttled_date: 0.01,
  slow: 0.02,
  lost_after: 0.02,
  error_after: 0.01,
  half_answer: 0.01,
  wrong_type: 0.01,
} as const

const STORM_REQUESTS = {
  reset_before: 0.08,
  error_before: 0.08,
  throttled: 0.03,
  throttled_seconds: 0.03,
  throttled_date: 0.02,
  slow: 0.05,
  lost_after: 0.08,
  error_after: 0.05,
  half_answer: 0.05,
  wrong_type: 0.03,
} as const

/** The chances of each profile. */
export const profileOdds: Readonly<Record<FaultProfile, FaultOdds>> = {
  none: {},
  some: {
    dispatch: { never_sent: 0.02, hung_up: 0.02, reply_lost: 0.03, duplicate: 0.03, twice_at_once: 0.02 },
    results: SOME_REQUESTS,
    tasks: SOME_REQUESTS,
    token: SOME_REQUESTS,
    webhook: { doubled: 0.05, late: 0.03, early: 0.02 },
  },
  storm: {
    dispatch: { never_sent: 0.05, hung_up: 0.1, reply_lost: 0.15, duplicate: 0.15, twice_at_once: 0.1 },
    results: STORM_REQUESTS,
    tasks: STORM_REQUESTS,
    token: STORM_REQUESTS,
    webhook: { doubled: 0.2, late: 0.1, reordered: 0.1, early: 0.1 },
  },
}

/** After how many faults a key is left alone: one that is unlucky for ever would prove only that retries end. */
export const profileMostPerKey: Readonly<Record<FaultProfile, number>> = { none: 0, some: 2, storm: 4 }
/** The same for dispatches, whatever the profile: Reten's three attempts are not to be eaten by faults alone. */
export const MOST_DISPATCH_FAULTS = 2
