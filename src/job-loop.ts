// The loop behind every worker: claim, run what was claimed side by side, claim again. It sleeps until it is nudged or until
// the next poll, so that a lost nudge costs a moment and never a job.
//
// It never stops silently: a claim that fails or does not come back is logged, shown as the loop's fault and made anew, with
// longer and longer pauses; what a late one brings is run all the same. A fault in the loop itself ends the process.
import type { Logger } from './logger.ts'
import type { Service } from './services.ts'
import { LateError, pause, within } from './time.ts'

export interface JobLoopOptions<Job> {
  readonly name: string
  /** Takes what is due and fits; an empty list when there is nothing to do. */
  readonly claim: () => Promise<readonly Job[]>
  /**
   * Runs one job to its settling. When `signal` aborts it gives the job back and resolves soon. A rejection is a fault of
   * ours: it is logged, and the job's lease runs out.
   */
  readonly run: (job: Job, signal: AbortSignal) => Promise<void>
  readonly logger: Logger
  /** Milliseconds between polls when nobody nudges; default 1,000. */
  readonly pollMs?: number
  /** Milliseconds until there may be something to claim although nobody nudges; asked after a claim that found nothing. */
  readonly wakeInMs?: () => number
  /** Milliseconds a claim may take before it is given up; default 60,000. */
  readonly claimTimeoutMs?: number
  /** Milliseconds that `stop` lets running jobs finish before it aborts them; default 10,000. */
  readonly graceMs?: number
}

export interface JobLoop extends Service {
  /** Something may be due: claim soon. Cheap, and many nudges are one. */
  nudge(): void
  /** Claims once and runs what it got to the end; answers how many. For tests and for commands; not while started. */
  runOnce(): Promise<number>
}

const POLL_MS = 1_000
// Longer than any adapter's deadline needs to be, shorter than what platforms give a process to end (Fly.io: kill_timeout).
const GRACE_MS = 10_000
// Above everything that ends by itself: a statement, a connection on which nothing comes back.
const CLAIM_TIMEOUT_MS = 60_000
// After a fault of claiming (the database is away) the loop waits longer each time, up to this.
const MAX_BACKOFF_MS = 10_000

/** Builds a loop; it does nothing until it is started. */
export function createJobLoop<Job>(options: JobLoopOptions<Job>): JobLoop {
  const { name, logger } = options
  const stopping = new AbortController()
  const aborting = new AbortController()
  const running = new Set<Promise<void>>()
  let waker = new AbortController()
  let isNudged = false
  let fault: string | undefined
  let loop: Promise<void> | undefined

  const nudge = (): void => {
    isNudged = true
    waker.abort()
  }

  const runSafely = async (job: Job): Promise<void> => {
    try {
      await options.run(job, aborting.signal)
    } catch (error) {
      logger.error({ event: 'worker.fault', worker: name, err: error }, `${name}: a job ended in a fault of ours`)
    }
  }

  const launch = (job: Job): Promise<void> => {
    const work = runSafely(job).finally(() => {
      running.delete(work)
      nudge() // a slot is free
    })
    running.add(work)
    return work
  }

  const rest = async (ms: number): Promise<void> => {
    if (isNudged) return
    waker = new AbortController()
    await pause(ms, AbortSignal.any([waker.signal, stopping.signal]))
  }

  const claimInTime = async (): Promise<readonly Job[]> => {
    const claiming = options.claim()
    const timeoutMs = options.claimTimeoutMs ?? CLAIM_TIMEOUT_MS
    let isLate = false
    claiming.then(
      (jobs) => {
        if (isLate) for (const job of jobs) void launch(job)
      },
      () => {}, // told below, or too late to matter
    )
    try {
      return await within(claiming, timeoutMs, `a claim has not come back within ${timeoutMs} ms`)
    } catch (error) {
      isLate = true
      throw error
    }
  }

  const turn = async (): Promise<void> => {
    isNudged = false
    const jobs = await claimInTime()
    fault = undefined
    for (const job of jobs) void launch(job)
    if (jobs.length === 0) await rest(Math.min(options.pollMs ?? POLL_MS, options.wakeInMs?.() ?? Infinity))
  }

  const run = async (): Promise<void> => {
    let backoffMs = 100
    while (!stopping.signal.aborted) {
      try {
        await turn()
        backoffMs = 100
      } catch (error) {
        fault = error instanceof Error ? error.message : String(error)
        const level = error instanceof LateError ? 'error' : 'warn'
        logger[level]({ event: 'worker.claim_failed', worker: name, err: error, backoffMs }, `${name} cannot claim`)
        await pause(backoffMs, stopping.signal)
        backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS)
      }
    }
  }

  return {
    name,
    start: () => {
      loop = run()
    },
    stop: async () => {
      stopping.abort()
      await loop
      const grace = setTimeout(() => aborting.abort(), options.graceMs ?? GRACE_MS)
      await Promise.all(running)
      clearTimeout(grace)
    },
    fault: () => fault,
    nudge,
    runOnce: async () => {
      const jobs = await options.claim()
      await Promise.all(jobs.map(launch))
      return jobs.length
    },
  }
}
