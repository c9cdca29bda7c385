// One circuit breaker per connection, of this process: a destination that has failed several times in a row is left alone for a
// while instead of being given one delivery after another to lose. What waits meanwhile waits uncharged.
//
//   closed ──FAULTS_TO_OPEN faults in a row──► open ──its time is over──► half-open: one try at a time
//      ▲                                        ▲                            │
//      └──────────────── answer ────────────────┼────────────────────────────┤
//                                               └──────────── fault ─────────┘  longer each time
import { CircuitState, ConsecutiveBreaker, DelegateBackoff, circuitBreaker, handleWhenResult } from 'cockatiel'
import type { CircuitBreakerPolicy } from 'cockatiel'
import type { Logger } from './logger.ts'

export interface BreakersOptions<T> {
  /** What the tries are: `deliver` or `report`. */
  readonly kind: string
  /** Whether a try came to a fault of the destination. An answer, whatever it says, is none; so is an exception. */
  readonly isFault: (value: T) => boolean
  readonly logger: Logger
  /** From 0 to 1. */
  readonly random: () => number
  /** Default `OPEN_FOR_MS`; the last one is repeated. */
  readonly openForMs?: readonly number[]
}

/** The part of a connection that a breaker is kept by: another version has another destination, or other credentials. */
export interface Destination {
  readonly name: string
  readonly version: string
}

export type BreakerState = 'closed' | 'half-open' | 'open'

export interface Breakers<T> {
  /** How many tries may begin here now, at most `most`: none while open, one where a probe is due. */
  slots(destination: Destination, most: number): number
  /**
   * Runs one try and counts what it came to; one that `signal` has cut short proves nothing, nor does an exception. Rejects
   * with BreakerOpen, and begins nothing, where there is no slot.
   */
  run<V extends T>(destination: Destination, work: () => Promise<V>, signal: AbortSignal): Promise<V>
  state(name: string): BreakerState
  /** Milliseconds until the next open one may be probed; Infinity where none waits for that. */
  nextProbeMs(): number
  /** One sentence that names the connections that are left alone or being probed, or undefined. */
  fault(): string | undefined
}

/** The try was not begun. */
export class BreakerOpen extends Error {
  readonly retryInMs: number

  constructor(name: string, retryInMs: number) {
    super(`the breaker of ${name} is open`)
    this.name = 'BreakerOpen'
    this.retryInMs = retryInMs
  }
}

/** More than what is in flight at once by default, so that one moment's hiccup is not enough. */
export const FAULTS_TO_OPEN = 5

/** First as long as a restart takes; in the end once a minute, which is how late a recovery may be noticed. */
export const OPEN_FOR_MS: readonly number[] = Object.freeze([5_000, 10_000, 20_000, 40_000, 60_000])

/** Up to 20 % longer: the instances of a fleet do not all probe at once. */
const JITTER = 0.2

// Where another try is the probe, what it comes to is known within this, or soon after.
const PROBE_UNDER_WAY_MS = 1_000

class Judged<T> {
  /** Answers or throws what the try came to. */
  readonly give: () => T
  readonly isFault: boolean

  constructor(give: () => T, isFault: boolean) {
    this.give = give
    this.isFault = isFault
  }
}

interface Entry {
  readonly version: string
  readonly policy: CircuitBreakerPolicy
  /** By the clock of the library, Date.now(). */
  probeAtMs: number
}

/** Builds breakers that are all closed. */
export function createBreakers<T>(options: BreakersOptions<T>): Breakers<T> {
  const { kind, logger, random, openForMs = OPEN_FOR_MS } = options
  const entries = new Map<string, Entry>()

  const build = ({ name, version }: Destination): Entry => {
    const backoff = new DelegateBackoff<unknown, number>((_context, times = 0) => {
      const steady = openForMs[Math.min(times, openForMs.length - 1)] ?? 0
      const delay = steady * (1 + JITTER * random())
      entry.probeAtMs = Date.now() + delay
      return { delay, state: times + 1 }
    })
    const policy = circuitBreaker(
      handleWhenResult((result) => result instanceof Judged && result.isFault),
      { halfOpenAfter: backoff, breaker: new ConsecutiveBreaker(FAULTS_TO_OPEN) },
    )
    const entry: Entry = { version, policy, probeAtMs: 0 }
    let isTold = false
    const line = { connection: name, kind }
    policy.onBreak(() => {
      if (isTold) return // a probe that failed is no news
      isTold = true
      const message = `${name}: ${FAULTS_TO_OPEN} faults in a row, its jobs wait`
      logger.warn({ event: 'breaker.opened', ...line, forMs: Math.round(entry.probeAtMs - Date.now()) }, message)
    })
    policy.onReset(() => {
      isTold = false
      logger.info({ event: 'breaker.closed', ...line }, `${name} answers again`)
    })
    return entry
  }

  const find = (destination: Destination): Entry => {
    const known = entries.get(destination.name)
    if (known?.version === destination.version) return known
    const entry = build(destination)
    entries.set(destination.name, entry)
    if (known !== undefined && stateOf(known) !== 'closed') {
      logger.info({ event: 'breaker.closed', connection: destination.name, kind }, 'the connection was changed')
    }
    return entry
  }

  const slots = (destination: Destination, most: number): number => {
    const { policy, probeAtMs } = find(destination)
    if (policy.state === CircuitState.Closed) return most
    return policy.state === CircuitState.Open && Date.now() >= probeAtMs ? Math.min(1, most) : 0
  }

  return {
    slots,
    run: async (destination, work, signal) => {
      const entry = find(destination)
      if (slots(destination, 1) === 0) {
        throw new BreakerOpen(destination.name, Math.max(PROBE_UNDER_WAY_MS, entry.probeAtMs - Date.now()))
      }
      const isProbe = entry.policy.state !== CircuitState.Closed
      const judged = await entry.policy.execute(async () => {
        try {
          const value = await work()
          return new Judged(() => value, signal.aborted ? isProbe : options.isFault(value))
        } catch (error) {
          if (!isProbe) throw error
          // A fault of ours proves nothing; the library would take it for an answer.
          return new Judged<never>(() => {
            throw error
          }, true)
        }
      })
      return judged.give()
    },
    state: (name) => {
      const entry = entries.get(name)
      return entry === undefined ? 'closed' : stateOf(entry)
    },
    nextProbeMs: () =>
      Math.min(
        Infinity,
        ...[...entries.values()]
          .filter(({ policy }) => policy.state === CircuitState.Open)
          .map(({ probeAtMs }) => probeAtMs - Date.now())
          // One whose time has come and that nothing is due for is no reason to look again and again.
          .filter((waitMs) => waitMs > 0),
      ),
    fault: () => {
      // Where a probe may be made and nothing is due for one, nobody waits.
      const names = [...entries].filter(([, entry]) => isHoldingUp(entry)).map(([name]) => name)
      return names.length === 0 ? undefined : `${kind}: ${names.join(', ')} failed ${FAULTS_TO_OPEN} times in a row`
    },
  }
}

function isHoldingUp(entry: Entry): boolean {
  return stateOf(entry) === 'open' || entry.policy.state === CircuitState.HalfOpen
}

function stateOf({ policy, probeAtMs }: Entry): BreakerState {
  if (policy.state === CircuitState.Closed) return 'closed'
  return policy.state === CircuitState.HalfOpen || Date.now() >= probeAtMs ? 'half-open' : 'open'
}
