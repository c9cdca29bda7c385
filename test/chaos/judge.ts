// The verdict on a scenario: every activity by its id, at Reten's stand-in, in the service's ledger and at YOM's stand-in. The
// stand-ins' own records are the judge; what the service says of itself only explains.

/** An activity as Reten's stand-in knows it. */
export interface SentActivity {
  readonly id: string
  readonly status: string
  /** Ids its acknowledgements named, in order; empty: it never was acknowledged. */
  readonly acknowledgedAs: readonly string[]
  /** How each attempt ended, for people. */
  readonly attempts: readonly string[]
  /** When it was first acknowledged, in milliseconds since 1970. */
  readonly acknowledgedAtMs: number | undefined
  /** When it was first sent. */
  readonly sentAtMs: number | undefined
  /** How often a final result was registered for it, and the code of the one that counts. */
  readonly registrations: number
  readonly resultCode: string | undefined
  readonly registeredAtMs: number | undefined
}

/** A task as YOM's stand-in knows it; cancelled ones are left out. */
export interface MadeTask {
  /** The id the service gave it: that of the dispatch. */
  readonly externalId: string
  readonly activityId: string | undefined
  readonly resultCode: string | undefined
}

/** A dispatch as the service stored it. */
export interface StoredDispatch {
  readonly id: string
  readonly activityId: string
  readonly state: string
  readonly reasonCode: string | null
  readonly isParked: boolean
}

export interface Evidence {
  readonly activities: readonly SentActivity[]
  readonly tasks: readonly MadeTask[]
  readonly stored: readonly StoredDispatch[]
  /** Jobs that are left and not parked. */
  readonly jobsLeft: number
  readonly unaccounted: number
  /** What the stand-ins counted as done twice. */
  readonly doubledAtReten: number
  readonly doubledAtYom: number
}

export interface Verdict {
  readonly dispatched: number
  readonly acknowledged: number
  /** Acknowledged or stored, and neither done at both ends nor in front of a person. */
  readonly lost: number
  readonly doubled: number
  readonly parked: number
  /** Each broken promise as a sentence, with the first ids it is about. */
  readonly broken: readonly string[]
}

const IDS_SHOWN = 3

/** Judges; `broken` is empty where every promise held. */
export function judge(evidence: Evidence): Verdict {
  const { activities, tasks, stored } = evidence
  const known = new Map(activities.map((activity) => [activity.id, activity]))
  const byActivity = Map.groupBy(stored, (dispatch) => dispatch.activityId)
  const tasksOf = Map.groupBy(tasks, (task) => task.activityId)
  const dispatchOf = (activity: SentActivity): StoredDispatch | undefined => byActivity.get(activity.id)?.[0]
  const isParked = (activity: SentActivity): boolean => dispatchOf(activity)?.isParked === true
  const isDone = (activity: SentActivity): boolean =>
    dispatchOf(activity)?.state === 'completed' && tasksOf.has(activity.id) && activity.registrations > 0

  const sent = activities.filter((activity) => activity.sentAtMs !== undefined)
  const acknowledged = sent.filter((activity) => activity.acknowledgedAs.length > 0)
  // What was stored and not acknowledged is ours as well: the sender may have lost our answer alone.
  const ours = activities.filter((activity) => activity.acknowledgedAs.length > 0 || byActivity.has(activity.id))
  const lost = ours.filter((activity) => !isDone(activity) && !isParked(activity))
  const twice = activities.filter(
    (activity) => activity.registrations > 1 || (tasksOf.get(activity.id)?.length ?? 0) > 1,
  )
  const broken: string[] = []
  const mustBeNone = (what: string, ids: readonly string[]): void => {
    if (ids.length > 0) broken.push(`${ids.length} ${what}: ${ids.slice(0, IDS_SHOWN).join(', ')}`)
  }
  mustBeNone('acknowledged and not stored', idsOf(acknowledged.filter((activity) => !byActivity.has(activity.id))))
  mustBeNone(
    'acknowledged under another id than it is stored under',
    idsOf(acknowledged.filter((activity) => activity.acknowledgedAs.some((id) => id !== dispatchOf(activity)?.id))),
  )
  mustBeNone(
    'lost',
    lost.map((activity) => `${activity.id} (${describe(dispatchOf(activity))})`),
  )
  mustBeNone('done twice', idsOf(twice))
  mustBeNone(
    'with another result at Reten than at YOM',
    idsOf(ours.filter((activity) => isDone(activity) && !isSameResult(activity, tasksOf.get(activity.id)))),
  )
  mustBeNone(
    'FAILED at Reten',
    activities
      .filter((activity) => activity.status === 'FAILED')
      .map((activity) => `${activity.id} (${activity.attempts.join(', ')})`),
  )
  mustBeNone('that wait at Reten', idsOf(activities.filter((activity) => activity.status === 'READY')))
  mustBeNone(
    'stored that Reten never had',
    stored.map((dispatch) => dispatch.activityId).filter((id) => !known.has(id)),
  )
  mustBeNone(
    'tasks that belong to no dispatch',
    tasks.filter((task) => !hasDispatch(task, byActivity)).map((task) => task.externalId),
  )
  const counts = { 'jobs left': evidence.jobsLeft, 'rows unaccounted for': evidence.unaccounted }
  for (const [what, count] of Object.entries(counts)) if (count > 0) broken.push(`${count} ${what}`)
  const doubled = Math.max(twice.length, evidence.doubledAtReten + evidence.doubledAtYom)
  if (doubled > twice.length) broken.push(`${doubled} doubled, as the stand-ins count`)
  return {
    dispatched: sent.length,
    acknowledged: acknowledged.length,
    lost: lost.length,
    doubled,
    parked: activities.filter(isParked).length,
    broken,
  }
}

/**
 * The longest time without any acknowledgement while there was load, in milliseconds: between two acknowledgements, before the
 * first or after the last.
 */
export function longestStallMs(activities: readonly SentActivity[], fromMs: number, untilMs: number): number {
  const times = activities
    .flatMap((activity) => activity.acknowledgedAtMs ?? [])
    .filter((at) => at >= fromMs && at <= untilMs)
    .toSorted((a, b) => a - b)
  let [longest, last] = [0, fromMs]
  for (const at of [...times, untilMs]) {
    longest = Math.max(longest, at - last)
    last = at
  }
  return Math.round(longest)
}

/** Seconds from `endMs` until everything that had been sent by then was back at Reten; 0 where it was. */
export function recoverySeconds(activities: readonly SentActivity[], endMs: number): number {
  const before = activities.filter((activity) => (activity.sentAtMs ?? Number.POSITIVE_INFINITY) <= endMs)
  const last = before.reduce((latest, activity) => Math.max(latest, activity.registeredAtMs ?? 0), 0)
  return Math.max(0, Math.round((last - endMs) / 100) / 10)
}

function idsOf(activities: readonly SentActivity[]): string[] {
  return activities.map((activity) => activity.id)
}

function isSameResult(activity: SentActivity, tasks: readonly MadeTask[] | undefined): boolean {
  return tasks?.some((task) => task.resultCode === activity.resultCode) === true
}

function hasDispatch(task: MadeTask, byActivity: ReadonlyMap<string, readonly StoredDispatch[]>): boolean {
  const dispatches = task.activityId === undefined ? undefined : byActivity.get(task.activityId)
  return dispatches?.some((dispatch) => dispatch.id === task.externalId) === true
}

function describe(dispatch: StoredDispatch | undefined): string {
  if (dispatch === undefined) return 'not stored'
  return dispatch.reasonCode === null ? dispatch.state : `${dispatch.state}, ${dispatch.reasonCode}`
}
