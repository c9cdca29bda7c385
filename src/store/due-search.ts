// Remembers from where on each connection's jobs have to be looked for. A job that was claimed and done stays in the index
// until vacuum may take it away, and a transaction that somebody forgot to end keeps it there: a search from the beginning would
// walk past every job done since, a thousand more each second.
//
// A horizon is a guess that is right for nearly all: a job can become visible before it, because its transaction began earlier
// and committed late, or the clock was set back. So every second the search begins at the beginning again; nothing is ever lost
// by it, only found a second later.
import type { Db } from './database.ts'
import { COMMERCES_NAMED, findCommercesInTurn } from './find-commerces-in-turn.ts'
import { findDueConnections } from './find-due-connections.ts'
import type { FoundConnection, Horizon } from './find-due-connections.ts'
import type { JobKind } from './tables.ts'

/** How long a job that became visible behind the horizon waits at the most, as long as sweeps are quick. */
export const SWEEP_EVERY_MS = 1_000
// Where many deleted jobs cannot be taken away a sweep takes long; then it is made more seldom, so that it never costs more than
// a twentieth of the time.
const PAUSE_FACTOR = 20
// A sweep that is done in this time has met no crowd of deleted jobs: connections without any job need no horizon.
const QUICK_MS = 50

const NONE: ReadonlySet<string> = new Set()

export interface DueConnection extends Horizon {
  readonly connection: string
  /** False for a wanted connection that has nothing to claim right now. */
  readonly isDue: boolean
  /** Commerces with something to claim that a claim from the horizon on may not come by. */
  readonly commerces: readonly string[]
}

export interface DueSearchOptions {
  readonly kind: JobKind
  /** What claims of this kind set. */
  readonly leaseSeconds: number
  /** A clock in milliseconds that never goes back; default the process's own. */
  readonly nowMs?: () => number
}

export interface DueSearch {
  /**
   * The connections that have a due, unleased job, and those of `wanted` that had one a moment ago, each with the horizon to claim
   * from. Rejects with PostgreSQL's error.
   */
  find(wanted?: ReadonlySet<string>): Promise<readonly DueConnection[]>
}

/** Builds a search that knows nothing yet: its first look is a sweep. One per worker, one look at a time. */
export function createDueSearch(db: Db, options: DueSearchOptions): DueSearch {
  const { kind, leaseSeconds, nowMs = () => performance.now() } = options
  const known = new Map<string, Horizon>()
  // Where the naming of a connection's commerces goes on, so that each of them has its turn.
  const namedUpTo = new Map<string, string>()
  let sweepAtMs = -Infinity

  const nameCommerces = async (found: FoundConnection): Promise<DueConnection> => {
    const { connection, isCrowded, dueFromIfNone, ...due } = found
    if (!isCrowded) return { ...due, connection, commerces: [] }
    const commerces = await findCommercesInTurn(db, connection, namedUpTo.get(connection))
    const last = commerces.at(-1)
    if (last === undefined || commerces.length < COMMERCES_NAMED) namedUpTo.delete(connection)
    else namedUpTo.set(connection, last)
    if (commerces.length > 0) return { ...due, connection, isDue: true, commerces }
    return { ...due, connection, dueFrom: due.isDue ? due.dueFrom : dueFromIfNone, commerces }
  }

  const look = async (from: ReadonlyMap<string, Horizon>): Promise<readonly DueConnection[]> => {
    const found: DueConnection[] = []
    for (const one of await findDueConnections(db, { kind, known: from, leaseSeconds }))
      found.push(await nameCommerces(one))
    for (const { connection, dueFrom, leasedFrom } of found) known.set(connection, { dueFrom, leasedFrom })
    return found
  }

  const sweep = async (): Promise<readonly DueConnection[]> => {
    const startedMs = nowMs()
    try {
      const found = await look(new Map([...known.keys()].map((name) => [name, {}])))
      if (nowMs() - startedMs < QUICK_MS) forgetIdle(known, found)
      return found
    } finally {
      // Also after one that failed: claims go on from the horizons there are.
      sweepAtMs = nowMs() + Math.max(SWEEP_EVERY_MS, (nowMs() - startedMs) * PAUSE_FACTOR)
    }
  }

  return {
    find: async (wanted = NONE) => {
      const found = await (nowMs() < sweepAtMs ? look(known) : sweep())
      return found.filter((one) => one.isDue || wanted.has(one.connection))
    },
  }
}

function forgetIdle(known: Map<string, Horizon>, found: readonly DueConnection[]): void {
  for (const { connection, isDue } of found) if (!isDue) known.delete(connection)
}
