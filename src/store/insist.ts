// Writing down what was learnt must not be lost to a database that is away for a moment: the knowledge is nowhere else, and
// without it a task that exists at the provider would be one of unknown fate.
import { pause } from '../time.ts'
import { isDatabaseAway, isMissingPartition, isWorthRunningAgain } from './database-errors.ts'
import type { Db } from './database.ts'
import { ensureDayPartitions } from './partitions.ts'

export interface Patience {
  /** By `performance.now()`: nothing is begun again after this. */
  readonly untilMs: number
  /** When it aborts, one more try is the last. */
  readonly signal: AbortSignal
}

const FIRST_PAUSE_MS = 100
// A fail-over takes seconds; asking more often than this only disturbs it.
const LONGEST_PAUSE_MS = 2_000

/**
 * Runs `work`, and again while the database is away, where two transactions stood in each other's way, or where the day has no
 * partition yet. Rejects with the last error once patience is at its end, and at once with any other one.
 */
export async function insist<T>(db: Db, work: () => Promise<T>, { untilMs, signal }: Patience): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    const isLast = signal.aborted
    try {
      return await work()
    } catch (error) {
      const isMissingDay = isMissingPartition(error)
      if (!isMissingDay && !isDatabaseAway(error) && !isWorthRunningAgain(error)) throw error
      if (isLast || performance.now() + pauseMs > untilMs) throw error
      // Where this does not succeed either, the next try says so.
      if (isMissingDay) await ensureDayPartitions(db).catch(() => {})
    }
    await pause(pauseMs, signal)
  }
}
