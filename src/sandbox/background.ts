import type { FastifyBaseLogger } from 'fastify'
import type { CancelTimer, SandboxClock } from './clock.ts'

/** What a stand-in does on its own, apart from answering requests. */
export interface Background {
  /** Starts `work` now, or as soon as a place is free. */
  run(work: () => Promise<void>): void
  /** Calls back after `delayMs` of sandbox time, however much is running. */
  later(delayMs: number, callback: () => void): void
  /** Resolves when nothing runs or waits for a place; timers not yet due are not waited for. */
  idle(): Promise<void>
  /** Resolves when nothing runs and no timer is left; never, on a clock that stands still. */
  drained(): Promise<void>
  /** Work that runs or waits for a place. */
  running(): number
  /** Timers not yet due. */
  scheduled(): number
  /** Cancels what has not started and waits for what has. */
  close(): Promise<void>
}

/** What the background needs. */
export interface BackgroundOptions {
  readonly clock: SandboxClock
  /** How much runs at once. */
  readonly concurrency: number
  readonly logger: FastifyBaseLogger
}

/** Makes a bounded place for work that nobody waits for, which can nevertheless be waited for. */
export const createBackground = ({ clock, concurrency, logger }: BackgroundOptions): Background => {
  // A set, because taking the first of a long array costs a move of all the others.
  const waiting = new Set<() => Promise<void>>()
  const timers = new Set<CancelTimer>()
  let active = 0
  let isClosed = false
  let watchers: (() => void)[] = []

  const notify = (): void => {
    const told = watchers
    watchers = []
    for (const tell of told) tell()
  }

  const start = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      // Work reports its own failures; reaching this is a fault of the stand-in and must not stop the rest.
      logger.error({ err: error }, 'sandbox.background_failed')
    }
    active -= 1
    next()
    if (running() === 0) notify()
  }

  const next = (): void => {
    for (const work of waiting) {
      if (active >= concurrency) return
      waiting.delete(work)
      active += 1
      void start(work)
    }
  }

  const running = (): number => active + waiting.size

  const run = (work: () => Promise<void>): void => {
    if (isClosed) return
    waiting.add(work)
    next()
  }

  const later = (delayMs: number, callback: () => void): void => {
    if (isClosed) return
    const cancel = clock.after(delayMs, () => {
      timers.delete(cancel)
      callback()
      notify()
    })
    timers.add(cancel)
  }

  const until = async (isReached: () => boolean): Promise<void> => {
    while (!isReached()) await new Promise<void>((resolve) => watchers.push(resolve))
  }

  return {
    run,
    later,
    running,
    scheduled: () => timers.size,
    idle: () => until(() => running() === 0),
    drained: () => until(() => running() === 0 && timers.size === 0),
    close: async () => {
      isClosed = true
      waiting.clear()
      for (const cancel of timers) cancel()
      timers.clear()
      notify()
      await until(() => running() === 0)
    },
  }
}
