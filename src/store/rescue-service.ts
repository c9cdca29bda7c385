// The service that looks for expired leases every two seconds.
//
// After the database was away it holds off for a moment: every worker's lease may have run out by then, and most of them live
// and have something to write down. They come first.
import type { Logger } from '../logger.ts'
import { createPeriodic } from '../periodic.ts'
import type { Service } from '../services.ts'
import type { Db } from './database.ts'
import { reachDatabase } from './reach-database.ts'
import { rescueJobs } from './rescue-jobs.ts'
import type { Rescue } from './rescue-jobs.ts'

export interface RescueDeps {
  readonly db: Db
  readonly logger: Logger
  /** Something is due again. */
  readonly onRescued: () => void
  /** A result was set aside as unproven. */
  readonly onUnproven: (connection: string) => void
  /** Milliseconds since 1970, by the calendar: after a sleep of the machine the workers on it come first, too. */
  readonly now?: () => number
}

export interface RescueService extends Service {
  /** Rescues once; undefined while it holds off. Rejects with PostgreSQL's errors. For tests. */
  runOnce(): Promise<Rescue | undefined>
}

const EVERY_2_SECONDS = '*/2 * * * * *'
// More than the longest pause of a worker that wants to write something down (2 s) or to renew its leases (4 s).
const HOLD_OFF_MS = 6_000
// Three of its turns missed.
const ABSENCE_MS = 6_000
const HOLD_OFF_AGAIN_MS = 60_000

/** Builds the service; it works from its start. */
export function createRescueService(deps: RescueDeps): RescueService {
  const { db, logger, onRescued, onUnproven, now = Date.now } = deps
  let reachedAtMs: number | undefined
  let heldOffAtMs = Number.NEGATIVE_INFINITY

  const runOnce = async (): Promise<Rescue | undefined> => {
    await reachDatabase(db)
    const silentForMs = now() - (reachedAtMs ?? now())
    reachedAtMs = now()
    // Once for each absence: a database that is slow for good must not keep work from ever being taken over.
    if (silentForMs > ABSENCE_MS && now() - heldOffAtMs > HOLD_OFF_AGAIN_MS) heldOffAtMs = now()
    if (now() - heldOffAtMs < HOLD_OFF_MS) return undefined
    const rescue = await rescueJobs(db)
    tell(rescue)
    return rescue
  }

  const tell = ({ rescued, poisoned, notCanceled, unproven }: Rescue): void => {
    if (rescued > 0) {
      logger.warn({ event: 'jobs.rescued', count: rescued }, `${rescued} jobs of workers that ended are due again`)
      onRescued()
    }
    for (const dispatchId of poisoned) {
      logger.error(
        { event: 'delivery.gave_up', dispatchId, code: 'crashed_worker' },
        'set aside: its workers ended three times',
      )
    }
    for (const dispatchId of notCanceled) {
      logger.error(
        { event: 'cancel.failed', dispatchId, code: 'crashed_worker' },
        'set aside: its workers ended three times',
      )
    }
    for (const { dispatchId, connection } of unproven) {
      logger.error(
        { event: 'result.failed', dispatchId, connection, state: 'unproven', code: 'crashed_worker' },
        'set aside: the workers that reported it ended three times, and Reten may have it',
      )
      onUnproven(connection)
    }
  }

  return { ...createPeriodic({ name: 'rescue', pattern: EVERY_2_SECONDS, logger, run: runOnce }), runOnce }
}
