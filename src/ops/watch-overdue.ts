// Says once of each dispatch that its result is overdue: one line in the log when it becomes so. On one instance at a time.
import type { Logger } from '../logger.ts'
import { createPeriodic } from '../periodic.ts'
import type { Service } from '../services.ts'
import type { Db } from '../store/database.ts'
import { markOverdue } from '../store/mark-overdue.ts'
import type { OverdueLimit } from '../store/mark-overdue.ts'

export interface OverdueWatchDeps {
  readonly db: Db
  readonly logger: Logger
  /** How long each connection waits whose provider reports results. */
  readonly limits: () => Promise<readonly OverdueLimit[]>
  /** Whether this instance's turn it is. */
  readonly guard: () => Promise<boolean>
}

export interface OverdueWatch extends Service {
  /** Looks at the next slice of the ledger; for tests. Rejects with PostgreSQL's error. */
  runOnce(): Promise<void>
}

// A million dispatches are walked in a quarter of an hour: little against the hours that a result may take.
const EVERY_10_SECONDS = '*/10 * * * * *'

/** Builds the service. It walks the ledger from the newest dispatch to the oldest, and then again. */
export function createOverdueWatch({ db, logger, limits, guard }: OverdueWatchDeps): OverdueWatch {
  let beforeSeq: number | undefined

  const runOnce = async (): Promise<void> => {
    const slice = await markOverdue(db, await limits(), beforeSeq)
    beforeSeq = slice.nextBeforeSeq
    for (const dispatch of slice.marked) {
      logger.warn(
        { event: 'result.overdue', ...dispatch },
        'delivered, and the provider has not told what became of it',
      )
    }
  }

  const periodic = createPeriodic({ name: 'watch-overdue', pattern: EVERY_10_SECONDS, logger, guard, run: runOnce })
  return { ...periodic, runOnce }
}
