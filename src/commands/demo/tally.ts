// The honest count: what the stand-ins saw on both ends against what the service says it did, id by id.
import type { SeenDispatch } from './service-view.ts'

/** The final counts, as `--json` prints them. */
export interface Tally {
  readonly dispatched: number
  readonly acknowledged: number
  readonly stored: number
  readonly delivered: number
  readonly reported: number
  readonly registered: number
  readonly duplicates: number
  readonly parked: number
  readonly lost: number
  readonly doubled: number
  readonly seconds: number
  /** Bodies that were in quarantine before they were repaired; only where the demo's course has that. */
  readonly quarantined?: number
}

/** One activity as Reten's stand-in knows it. */
export interface SentActivity {
  readonly id: string
  readonly isSent: boolean
  readonly isAcknowledged: boolean
  readonly isRegistered: boolean
}

export interface TallyInput {
  readonly sent: readonly SentActivity[]
  readonly seen: readonly SeenDispatch[]
  /** Acknowledgements beyond the first of their activity, counted by Reten's stand-in. */
  readonly repeatedAcknowledgements: number
  /** Tasks that exist twice at YOM, results registered twice at Reten, activities taken for two: counted by the stand-ins. */
  readonly doubled: number
  /** Whether YOM's stand-in holds a task for this activity. */
  readonly hasTask: (activityId: string) => boolean
  readonly seconds: number
}

/** Counts. An activity is lost where it was dispatched and neither stands at both ends nor in front of a person. */
export function tally(input: TallyInput): Tally {
  const byActivity = new Map(input.seen.map((dispatch) => [dispatch.activityId, dispatch]))
  const sent = input.sent.filter((activity) => activity.isSent)
  const isParked = (activity: SentActivity): boolean => byActivity.get(activity.id)?.isParked === true
  const isDone = (activity: SentActivity): boolean =>
    activity.isRegistered && byActivity.get(activity.id)?.state === 'completed' && input.hasTask(activity.id)
  return {
    dispatched: sent.length,
    acknowledged: sent.filter((activity) => activity.isAcknowledged).length,
    stored: sent.filter((activity) => byActivity.has(activity.id)).length,
    delivered: sent.filter((activity) => byActivity.get(activity.id)?.isDelivered === true).length,
    reported: sent.filter((activity) => byActivity.get(activity.id)?.state === 'completed').length,
    registered: sent.filter((activity) => activity.isRegistered).length,
    duplicates: input.repeatedAcknowledgements,
    parked: sent.filter(isParked).length,
    lost: sent.filter((activity) => !isDone(activity) && !isParked(activity)).length,
    doubled: input.doubled,
    seconds: Math.round(input.seconds * 10) / 10,
  }
}

/** Whether everything is in the state it should be in, at both ends. */
export function isWell(counts: Tally, expected: number): boolean {
  return (
    counts.dispatched === expected &&
    counts.lost === 0 &&
    counts.doubled === 0 &&
    counts.stored === expected &&
    counts.registered + counts.parked === expected
  )
}
