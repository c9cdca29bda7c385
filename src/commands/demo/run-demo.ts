// The demo's own course: dispatch, wait until both ends agree, count.
import { readFileSync } from 'node:fs'
import { listAllDispatches, untilReady } from './service-view.ts'
import type { SeenDispatch } from './service-view.ts'
import type { DemoOptions } from './options.ts'
import type { Stage } from './stage.ts'
import { repairQuarantine } from './repair.ts'
import { tally } from './tally.ts'
import type { SentActivity, Tally } from './tally.ts'
import { AppError } from '../../errors.ts'
import { pause } from '../../time.ts'

export interface DemoProgress {
  readonly dispatched: number
  readonly delivered: number
  readonly registered: number
  readonly of: number
}

// A cold start of database and service takes about three seconds on a slow laptop; this is a fault.
const READY_TIMEOUT_MS = 60_000
// Of the service's log, where it did not start.
const LAST_LINES = 5
const PROGRESS_INTERVAL_MS = 500
// Reten's dispatcher comes by every 30 s; after a failed attempt the demo's comes by in half that time.
const RETRY_INTERVAL_MS = 15_000
// Nothing moved at either end for this long: it will not move any more. Above the longest early retry (3 min).
const STANDSTILL_MS = 240_000

/** Runs the demo to its end and counts. `onProgress` is called twice a second meanwhile. */
export async function runDemo(
  stage: Stage,
  options: DemoOptions,
  onProgress: (progress: DemoProgress) => void,
  signal: AbortSignal,
): Promise<Tally> {
  if (!(await untilReady(stage.publicUrl, READY_TIMEOUT_MS, stage.service.hasEnded))) {
    const said = readFileSync(stage.logFile, 'utf8').trimEnd().split('\n').slice(-LAST_LINES).join('\n')
    throw new AppError('RCV_COMMAND_INVALID', `the service did not become ready, and said last:\n${said}`)
  }
  stage.service.keepUp()
  const startedAt = performance.now()
  stage.reten.createActivities(options.activities)
  const progress = (): DemoProgress => {
    const reten = stage.reten.counts()
    return {
      dispatched: reten.dispatched,
      delivered: stage.yom.counts().externalIds,
      registered: reten.registered,
      of: options.activities,
    }
  }
  const timer = setInterval(() => onProgress(progress()), PROGRESS_INTERVAL_MS)
  try {
    let quarantined: number | undefined
    if (options.shape === 'unexpected') {
      await dispatchEachOnce(stage, signal)
      quarantined = await repairQuarantine(stage)
    }
    await dispatchAll(stage, signal)
    const counts = await untilSettled(stage, options, () => (performance.now() - startedAt) / 1_000, signal)
    onProgress(progress())
    return quarantined === undefined ? counts : { ...counts, quarantined }
  } finally {
    clearInterval(timer)
  }
}

/** Runs Reten's dispatcher until nothing is READY any more; waits after a run with failed attempts. */
async function dispatchAll(stage: Stage, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const run = await stage.reten.dispatchOnce()
    if (run.attempted === 0) return
    if (run.failedAttempts > 0) await pause(RETRY_INTERVAL_MS, signal)
  }
}

/** Runs Reten's dispatcher until every activity was pushed once, whatever came of it. */
async function dispatchEachOnce(stage: Stage, signal: AbortSignal): Promise<void> {
  const isUntried = (): boolean => stage.reten.activities().some((activity) => activity.dispatchAttemptCount === 0)
  while (!signal.aborted && isUntried()) await stage.reten.dispatchOnce()
}

/** Counts again and again until every activity is done or parked, or until nothing moves. */
async function untilSettled(
  stage: Stage,
  options: DemoOptions,
  seconds: () => number,
  signal: AbortSignal,
): Promise<Tally> {
  let counts = await countNow(stage, [], seconds())
  let movedAt = Date.now()
  let seen: readonly SeenDispatch[] = []
  while (!signal.aborted) {
    const before = JSON.stringify({ ...counts, seconds: 0 })
    // Asked only once Reten's end looks done or stands still: listing everything twice a second would be the demo's own load.
    const isWorthAsking = stage.reten.counts().registered >= options.activities || Date.now() - movedAt > 2_000
    if (isWorthAsking) seen = await listAllDispatches(stage.opsUrl, stage.adminToken).catch(() => seen)
    counts = await countNow(stage, seen, seconds())
    if (counts.registered + counts.parked >= options.activities && counts.lost === 0) break
    if (JSON.stringify({ ...counts, seconds: 0 }) !== before) movedAt = Date.now()
    else if (Date.now() - movedAt > STANDSTILL_MS) break
    await pause(200, signal)
  }
  // A doubled webhook or a late duplicate may still be on its way: what is counted is counted after they arrived.
  await Promise.race([stage.yom.idle(), pause(5_000, signal)])
  return countNow(stage, await listAllDispatches(stage.opsUrl, stage.adminToken).catch(() => seen), counts.seconds)
}

async function countNow(stage: Stage, seen: readonly SeenDispatch[], seconds: number): Promise<Tally> {
  const reten = stage.reten.counts()
  const yom = stage.yom.counts()
  const withTask = new Set(stage.yom.tasks().map((task) => task.activityId))
  return tally({
    sent: stage.reten.activities().map(toSent),
    seen,
    repeatedAcknowledgements: reten.repeatedAcknowledgements,
    doubled: yom.doubled + reten.doubled + reten.differingProviderIds,
    hasTask: (activityId) => withTask.has(activityId),
    seconds,
  })
}

type SandboxActivity = ReturnType<Stage['reten']['activities']>[number]

function toSent(activity: SandboxActivity): SentActivity {
  return {
    id: activity.id,
    isSent: activity.pushes.some((push) => push.outcome !== 'never_sent'),
    isAcknowledged: activity.pushes.some((push) => push.outcome === 'acknowledged'),
    isRegistered: activity.result !== undefined && activity.result.coreStatus !== 'PENDING',
  }
}
