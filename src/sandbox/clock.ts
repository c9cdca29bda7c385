// One clock for both stand-ins. What the stand-ins wait for (dispatch periods, a seller at work, token lifetimes, the
// guards' comparisons) is told by it; what happens on the wire (timeouts, slow answers, rates) is always real time.

/** Stops a timer; harmless when it has run already. */
export type CancelTimer = () => void

/** The time the stand-ins live in. */
export interface SandboxClock {
  /** Sandbox seconds per real second; 0 means that only `advance` moves this clock. */
  readonly speed: number
  /** Milliseconds since the epoch, in sandbox time. */
  nowMs(): number
  /** The same instant as ISO 8601 in UTC with milliseconds. */
  nowIso(): string
  /** Runs `callback` once, `delayMs` of sandbox time from now. */
  after(delayMs: number, callback: () => void): CancelTimer
  /** Jumps forward and runs everything that became due, in order, before it returns. */
  advance(byMs: number): void
}

/** How a clock starts and how fast it runs. */
export interface SandboxClockOptions {
  /** Default 1: real time. */
  readonly speed?: number
  /** Default: the real time now. */
  readonly startAtMs?: number
}

interface Timer {
  readonly dueAtMs: number
  readonly callback: () => void
  handle: NodeJS.Timeout | undefined
}

// setTimeout overflows above this and fires at once; longer waits are armed again when it elapses.
const LONGEST_TIMEOUT_MS = 2_147_483_647

/**
 * Makes a clock that runs `speed` times as fast as the real one. Give the same clock to both stand-ins, so that what
 * YOM says happened is never in Reten's future.
 */
export const createSandboxClock = (options: SandboxClockOptions = {}): SandboxClock => {
  const speed = options.speed ?? 1
  const realStartMs = performance.now()
  const timers = new Set<Timer>()
  let baseMs = options.startAtMs ?? Date.now()

  const nowMs = (): number => Math.floor(baseMs + (performance.now() - realStartMs) * speed)

  const fire = (timer: Timer): void => {
    timers.delete(timer)
    clearTimeout(timer.handle)
    timer.callback()
  }

  const arm = (timer: Timer): void => {
    clearTimeout(timer.handle)
    if (speed <= 0) return
    const realDelayMs = Math.min(Math.max(0, (timer.dueAtMs - nowMs()) / speed), LONGEST_TIMEOUT_MS)
    timer.handle = setTimeout(() => {
      if (timer.dueAtMs > nowMs()) arm(timer)
      else fire(timer)
    }, realDelayMs)
  }

  const after = (delayMs: number, callback: () => void): CancelTimer => {
    const timer: Timer = { dueAtMs: nowMs() + Math.max(0, delayMs), callback, handle: undefined }
    timers.add(timer)
    arm(timer)
    return () => {
      timers.delete(timer)
      clearTimeout(timer.handle)
    }
  }

  // Time stops at each due timer on the way, so that a timer set by a timer is not skipped.
  const advance = (byMs: number): void => {
    const goalMs = nowMs() + byMs
    for (let next = earliest(timers); next !== undefined && next.dueAtMs <= goalMs; next = earliest(timers)) {
      baseMs += Math.max(0, next.dueAtMs - nowMs())
      fire(next)
    }
    baseMs += Math.max(0, goalMs - nowMs())
    for (const timer of timers) arm(timer)
  }

  return { speed, nowMs, nowIso: () => new Date(nowMs()).toISOString(), after, advance }
}

const earliest = (timers: ReadonlySet<Timer>): Timer | undefined => {
  let found: Timer | undefined
  for (const timer of timers) if (found === undefined || timer.dueAtMs < found.dueAtMs) found = timer
  return found
}
