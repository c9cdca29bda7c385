// Which connections wait because their destination asked for it: known here at once, and told to all other instances through
// the database. One "slower" is enough for everybody; no job has to hear it by itself.
import type { HttpClient } from './http-client.ts'
import type { Logger } from './logger.ts'
import { readHoldOffMs } from './rate-limit-headers.ts'
import type { Clock } from './time.ts'
import { HOUR_MS } from './time.ts'

export interface HoldOffDeps {
  /** What is held off: `deliver` or `report`. */
  readonly kind: string
  readonly clock: Clock
  readonly logger: Logger
  /** Tells the other instances; what it rejects with is logged and forgotten. */
  readonly share: (connection: string, forMs: number) => Promise<unknown>
}

export interface HoldOffs {
  /** Nothing of `connection` is begun for this long, clamped to an hour. Cheap where that is known already. */
  hold(connection: string, forMs: number): void
  /** Milliseconds until `connection` may be called again; 0 where it may. */
  remainingMs(connection: string): number
  /** Milliseconds until the next connection may be called again; Infinity where none waits. */
  nextEndMs(): number
  /** `http` for the calls of one connection: its answers are looked at, and otherwise untouched. */
  watch(http: HttpClient, connection: string): HttpClient
}

// A wish for days would leave a connection silent long after its provider is well; after an hour one looks again, which costs
// no more than what may be in flight at once.
const LONGEST_MS = HOUR_MS

// Answers in flight together name the same moment, give or take their own way home.
const SAME_MOMENT_MS = 1_000

/** Builds an empty record. */
export function createHoldOffs(deps: HoldOffDeps): HoldOffs {
  const { kind, clock, logger, share } = deps
  const untilMs = new Map<string, number>()

  const remainingMs = (connection: string): number => Math.max(0, (untilMs.get(connection) ?? 0) - clock.now())

  const hold = (connection: string, wishedMs: number): void => {
    const forMs = Math.min(wishedMs, LONGEST_MS)
    const known = remainingMs(connection)
    if (forMs <= known || (known > 0 && forMs - known < SAME_MOMENT_MS)) return
    untilMs.set(connection, clock.now() + forMs)
    logger.info({ event: 'connection.held_off', connection, kind, forMs: Math.round(forMs) }, 'asked to wait')
    share(connection, forMs).catch((error: unknown) => {
      logger.warn(
        { event: 'connection.hold_off_unshared', connection, kind, err: error },
        'other instances do not know',
      )
    })
  }

  return {
    hold,
    remainingMs,
    nextEndMs: () => Math.min(Infinity, ...[...untilMs.keys()].map(remainingMs).filter((ms) => ms > 0)),
    watch: (http, connection) => ({
      request: async (request) => {
        const answer = await http.request(request)
        const forMs = readHoldOffMs(answer, clock.now())
        if (forMs !== undefined) hold(connection, forMs)
        return answer
      },
      close: () => http.close(),
    }),
  }
}
