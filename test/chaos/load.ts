// Reten's load: activities that become due at an even rate whatever became of those before them, each with Reten's three
// attempts. The attempts of one are apart as Reten's are, only less: seconds, not half a minute.
import { setTimeout as pause } from 'node:timers/promises'
import type { RetenSandbox } from '../../src/sandbox/start-reten-sandbox.ts'

type Activity = ReturnType<RetenSandbox['createActivities']>[number]

export interface LoadOptions {
  readonly ratePerSecond: number
  /** Between two attempts of one activity. */
  readonly retryMs: number
  /** No more is dispatched while this many are not back at Reten. */
  readonly mostUnfinished: number
  /** Ends everything. */
  readonly signal: AbortSignal
}

export interface Load {
  /** Begins no more; resolves when every attempt is over. */
  stop(): Promise<void>
  /** Activities that Reten still waits for: neither back with a result nor given up. */
  unfinished(): number
}

const TICK_MS = 20

/** Starts the load; it ends with `stop` or the signal. */
export function startLoad(reten: RetenSandbox, options: LoadOptions): Load {
  const { signal, mostUnfinished, ratePerSecond, retryMs } = options
  const unfinished = new Set<Activity>()
  const attempts = new Set<Promise<void>>()
  let isStopping = false

  const dispatch = async (activity: Activity): Promise<void> => {
    await reten.dispatchActivity(activity.id)
    while (activity.status === 'READY' && !signal.aborted) {
      await wait(retryMs, signal)
      await reten.dispatchActivity(activity.id)
    }
  }

  const create = (count: number): void => {
    for (const activity of reten.createActivities(count)) {
      unfinished.add(activity)
      const attempt = dispatch(activity).finally(() => attempts.delete(attempt))
      attempts.add(attempt)
    }
  }

  const countUnfinished = (): number => {
    for (const activity of unfinished) if (isFinished(activity)) unfinished.delete(activity)
    return unfinished.size
  }

  const run = async (): Promise<void> => {
    let owed = 0
    let lastAt = performance.now()
    while (!isStopping && !signal.aborted) {
      await wait(TICK_MS, signal)
      const now = performance.now()
      owed += ((now - lastAt) * ratePerSecond) / 1_000
      lastAt = now
      const count = Math.min(Math.floor(owed), mostUnfinished - countUnfinished())
      // What does not fit is not made up for later.
      owed = Math.min(owed - Math.max(count, 0), 1)
      if (count > 0) create(count)
    }
  }

  const running = run()
  return {
    stop: async () => {
      isStopping = true
      await running
      await Promise.all(attempts)
    },
    unfinished: countUnfinished,
  }
}

function isFinished(activity: Activity): boolean {
  if (activity.status === 'FAILED') return true
  return activity.result !== undefined && activity.result.coreStatus !== 'PENDING'
}

/** Resolves when the time is over, or at once when the signal aborts. */
async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => {})
}
