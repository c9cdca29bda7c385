// Reten's dispatching as documented: a run takes at most a batch of READY activities per tenant, all tenants one after
// another; each is locked, pushed, and becomes DISPATCHED, or READY again, or FAILED after the last attempt.
import { setTimeout as waitReal } from 'node:timers/promises'
import type { CancelTimer } from '../clock.ts'
import type { ActivityDispatch } from './dispatch-activity.ts'
import { findDispatchConfig } from './dispatch-configs.ts'
import { createPace } from './dispatch-pace.ts'
import type { Activity, DispatchConfig } from './records.ts'
import type { RetenState, Tenant } from './state.ts'

/** What a run did. */
export interface DispatchRun {
  readonly attempted: number
  readonly dispatched: number
  readonly failedAttempts: number
}

/** Sends activities to the tenants' providers. */
export interface Dispatcher {
  /** One run over all tenants, as the schedule would start it. */
  dispatchOnce(): Promise<DispatchRun>
  /**
   * Runs until no activity with a configuration is READY. After a run with failed attempts it waits `pauseMs` of real
   * time, by default none: three attempts are over before a receiver that stumbled is on its feet again.
   */
  dispatchAll(pauseMs?: number): Promise<DispatchRun>
  /** Starts a run every period of sandbox time; a run that takes longer delays the next. */
  start(): void
  stop(): void
  /** Ends the schedule and waits for the run under way. */
  close(): Promise<void>
}

/** Makes the dispatcher of a state. */
export const createDispatcher = (state: RetenState, attempts: ActivityDispatch): Dispatcher => {
  let cancelTimer: CancelTimer | undefined
  let isStarted = false
  let isClosed = false
  let run: Promise<DispatchRun> | undefined

  const runTenant = async (tenant: Tenant): Promise<DispatchRun> => {
    const batch = takeBatch(tenant, state.switches.dispatchBatch)
    const pace = createPace(state.switches.dispatchRatePerSecond)
    const queue = batch.values()
    const lane = async (): Promise<void> => {
      for (const [activity, config] of queue) {
        await pace()
        // Cancelled, or dispatched by hand, since the batch was taken.
        if (activity.status === 'READY' && !isClosed) await attempts.dispatchOne(tenant, activity, config)
      }
    }
    await Promise.all(Array.from({ length: state.switches.dispatchConcurrency }, lane))
    const dispatched = batch.filter(([activity]) => activity.status !== 'READY' && activity.status !== 'FAILED').length
    return { attempted: batch.length, dispatched, failedAttempts: batch.length - dispatched }
  }

  const runAll = async (): Promise<DispatchRun> => {
    let total = nothing
    for (const tenant of state.tenants.values()) total = add(total, await runTenant(tenant))
    return total
  }

  // Runs never overlap: whoever asks during a run gets the one after it.
  const dispatchOnce = async (): Promise<DispatchRun> => {
    while (run !== undefined) await run
    run = runAll()
    try {
      return await run
    } finally {
      run = undefined
    }
  }

  const dispatchAll = async (pauseMs = 0): Promise<DispatchRun> => {
    let total = nothing
    let last: DispatchRun
    do {
      last = await dispatchOnce()
      total = add(total, last)
      if (last.failedAttempts > 0 && pauseMs > 0) await waitReal(pauseMs)
    } while (last.attempted > 0 && !isClosed)
    return total
  }

  const schedule = (): void => {
    cancelTimer = state.clock.after(state.switches.dispatchPeriodMs, () => {
      void dispatchOnce().finally(() => {
        if (isStarted) schedule()
      })
    })
  }

  const stop = (): void => {
    isStarted = false
    cancelTimer?.()
  }

  return {
    dispatchOnce,
    dispatchAll,
    start: () => {
      if (isStarted) return
      isStarted = true
      schedule()
    },
    stop,
    close: async () => {
      stop()
      isClosed = true
      await run
    },
  }
}

const takeBatch = (tenant: Tenant, size: number): [Activity, DispatchConfig][] => {
  const batch: [Activity, DispatchConfig][] = []
  for (const activity of tenant.ready) {
    if (batch.length >= size) break
    const config = findDispatchConfig(tenant, activity)
    if (config !== undefined && !activity.isBeingDispatched) batch.push([activity, config])
  }
  return batch
}

const nothing: DispatchRun = { attempted: 0, dispatched: 0, failedAttempts: 0 }

const add = (left: DispatchRun, right: DispatchRun): DispatchRun => ({
  attempted: left.attempted + right.attempted,
  dispatched: left.dispatched + right.dispatched,
  failedAttempts: left.failedAttempts + right.failedAttempts,
})
