// Holds the leases of everything this worker has claimed, for as long as the worker lives and is at it.
//
//   claimed ──► held ──renewed every few seconds──► held ──► dropped, when its run has ended
//                 │
//                 └─ another's by now, or not renewed in time ──► lost: its signal aborts, the run gives up
//
// Promise: while the signal of a claim has not aborted, nobody else has the job, by the database's clock. A claim counts as
// lost a few seconds before the database lets others have it, and at once when the database says that it is another's. What a
// lost run still writes is refused by the fence (`claim_no`) where another worker has the job.
//
// A lease that ran out counts as a crash of its worker (rescue-jobs.ts). A worker that finds that it lost one is alive: it was
// the database that was away, or this process that was too busy, and the dispatch is not to blame. So it takes that back.
import type { Logger } from '../logger.ts'
import type { Service } from '../services.ts'
import { pause } from '../time.ts'
import type { ClaimedJob } from './claim-jobs.ts'
import type { Db } from './database.ts'
import { renewLeases, takeBackCrashes } from './renew-leases.ts'

/** How long a job of a worker that died waits, less what passed since the last renewal. */
export const LEASE_SECONDS = 15

// Three renewals fit into a lease: one may be lost, and one be slow.
const RENEW_INTERVAL_MS = 4_000
// Less than the lease by as much as the clocks of two machines may differ in their pace, and a request take to be given up.
const CONFIRMED_FOR_MS = (LEASE_SECONDS - 3) * 1_000
const WATCH_INTERVAL_MS = 1_000
// A watch that comes later than this was held up: the process was too busy, or the machine slept.
const HELD_UP_MS = 2 * WATCH_INTERVAL_MS
// The longest delivery ends within a minute. What goes on for longer has lost its way, and its job must not wait for it for ever.
const LONGEST_RUN_MS = 5 * 60_000
// A rescue comes within seconds of the database; by then it has counted what it is going to.
const FORGIVE_WITHIN_MS = 15 * 60_000

export interface LeaseKeeper extends Service {
  /** Renews the leases of these jobs from now on. Called as soon as they are claimed. */
  hold(jobs: readonly ClaimedJob[]): void
  /** Aborts when the claim is lost; at once for a job that is not held. */
  signalOf(job: ClaimedJob): AbortSignal
  /** The run has ended, or never began. */
  drop(jobs: readonly ClaimedJob[]): void
  /** Renews once, as the service does every few seconds. For tests. */
  renewOnce(): Promise<void>
}

export interface LeaseKeeperDeps {
  /** With time-outs far below the lease, and not shared with what could keep all of its connections busy. */
  readonly db: Db
  /** The name the claims were made under. */
  readonly worker: string
  readonly logger: Logger
  /** Milliseconds since 1970, by the calendar: a machine that slept has lost its leases. */
  readonly now?: () => number
}

interface Held {
  readonly job: ClaimedJob
  readonly lost: AbortController
  /** When the lease was last asked for, by this process's calendar. */
  confirmedAtMs: number
}

/** Builds the keeper. It renews while it is started, and stops once nothing is held any more. */
export function createLeaseKeeper(deps: LeaseKeeperDeps): LeaseKeeper {
  const { db, worker, logger, now = Date.now } = deps
  const held = new Map<number, Held>()
  let suspects: { readonly job: ClaimedJob; readonly sinceMs: number }[] = []
  const stopping = new AbortController()
  const wake = { controller: new AbortController() }
  let loop: Promise<void> | undefined
  let watch: NodeJS.Timeout | undefined
  let lastWatchMs = 0
  let fault: string | undefined

  const lose = (one: Held, why: string): void => {
    if (one.lost.signal.aborted) return
    one.lost.abort()
    suspects.push({ job: one.job, sinceMs: now() })
    const { dispatchId, connection, kind, claimNo } = one.job
    logger.warn({ event: 'lease.lost', dispatchId, connection, kind, claimNo }, `a claim is lost: ${why}`)
  }

  const loseExpired = (): void => {
    for (const one of held.values()) {
      if (now() - one.confirmedAtMs > CONFIRMED_FOR_MS) lose(one, 'its lease could not be renewed in time')
    }
  }

  const renew = async (): Promise<void> => {
    const askedAtMs = now()
    const asked = [...held.values()].filter((one) => askedAtMs - one.job.claimedAtMs < LONGEST_RUN_MS)
    if (asked.length === 0) return
    const claims = asked.map((one) => one.job)
    const mine = await renewLeases(db, { worker, leaseSeconds: LEASE_SECONDS, claims })
    for (const one of asked) {
      if (mine.has(one.job.id)) one.confirmedAtMs = askedAtMs
      // What was dropped meanwhile has ended in order.
      else if (held.get(one.job.id) === one) lose(one, 'another worker has the job, or nobody has')
    }
  }

  const forgive = async (): Promise<void> => {
    suspects = suspects.filter((suspect) => now() - suspect.sinceMs < FORGIVE_WITHIN_MS)
    if (suspects.length === 0) return
    const over = await takeBackCrashes(
      db,
      suspects.map((suspect) => suspect.job),
    )
    suspects = suspects.filter(({ job }) => !over.some(({ id, claimNo }) => id === job.id && claimNo === job.claimNo))
  }

  const renewOnce = async (): Promise<void> => {
    await renew()
    await forgive()
  }

  const turn = async (): Promise<void> => {
    try {
      await renewOnce()
      fault = undefined
    } catch (error) {
      fault = `leases cannot be renewed: ${error instanceof Error ? error.message : String(error)}`
      logger.warn({ event: 'lease.not_renewed', held: held.size, err: error }, fault)
    }
  }

  const isDone = (): boolean => stopping.signal.aborted && held.size === 0

  const run = async (): Promise<void> => {
    while (!isDone()) {
      await turn()
      if (isDone()) return
      wake.controller = new AbortController()
      // One that does not succeed is tried again sooner: there is a lease to lose.
      await pause(fault === undefined ? RENEW_INTERVAL_MS : WATCH_INTERVAL_MS, wake.controller.signal)
    }
  }

  // After a halt the database is asked first: what nobody has taken meanwhile is still ours.
  const look = async (): Promise<void> => {
    const wasHeldUp = now() - lastWatchMs > HELD_UP_MS
    lastWatchMs = now()
    if (wasHeldUp) await Promise.race([turn(), pause(WATCH_INTERVAL_MS, new AbortController().signal)])
    loseExpired()
  }

  return {
    name: 'leases',
    start: () => {
      lastWatchMs = now()
      watch = setInterval(() => void look(), WATCH_INTERVAL_MS)
      watch.unref()
      loop = run()
    },
    // What is held is being finished by the loops, which are told to stop at the same time.
    stop: async () => {
      stopping.abort()
      wake.controller.abort()
      await loop
      clearInterval(watch)
    },
    fault: () => fault,
    hold: (jobs) => {
      for (const job of jobs) {
        const before = held.get(job.id)
        if (before !== undefined) lose(before, 'this worker has claimed the job anew')
        held.set(job.id, { job, lost: new AbortController(), confirmedAtMs: job.claimedAtMs })
      }
    },
    signalOf: (job) => {
      const one = held.get(job.id)
      return one?.job.claimNo === job.claimNo ? one.lost.signal : AbortSignal.abort()
    },
    drop: (jobs) => {
      for (const job of jobs) if (held.get(job.id)?.job.claimNo === job.claimNo) held.delete(job.id)
      if (isDone()) wake.controller.abort()
    },
    renewOnce,
  }
}
