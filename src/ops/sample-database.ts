// What metrics tell of the database, read every ten seconds and kept: a scrape asks nobody.
import type { Logger } from '../logger.ts'
import { createPeriodic } from '../periodic.ts'
import type { Service } from '../services.ts'
import type { ConnectionCatalog } from '../store/connection-catalog.ts'
import { countStrayJobs, countUnaccounted } from '../store/count-unaccounted.ts'
import type { Db } from '../store/database.ts'
import { countBlocked } from '../store/list-blocked.ts'
import { countOverdue } from '../store/mark-overdue.ts'
import { sampleQueue } from '../store/sample-queue.ts'
import { JOB_KINDS } from '../store/tables.ts'
import type { Metrics } from '../metrics.ts'

export interface SamplerDeps {
  readonly db: Db
  readonly metrics: Pick<
    Metrics,
    'jobs' | 'oldestDue' | 'parkedDispatches' | 'blockedCommerces' | 'resultsOverdue' | 'unaccountedDispatches'
  >
  readonly catalog: Pick<ConnectionCatalog, 'list'>
  readonly logger: Logger
}

export interface DatabaseSampler extends Service {
  /** Reads once; rejects with PostgreSQL's error. For tests, and for whoever cannot wait. */
  runOnce(): Promise<void>
}

const EVERY_10_SECONDS = '*/10 * * * * *'
// A backlog of millions takes seconds to read; then it is read more seldom, so that looking never costs more than a twentieth
// of one connection.
const PAUSE_FACTOR = 20

/** Builds the service that keeps the gauges of the queue. */
export function createDatabaseSampler(deps: SamplerDeps): DatabaseSampler {
  const sweep = createSweep(deps.db)
  let notBeforeMs = 0

  const runOnce = async (): Promise<void> => {
    await setQueueGauges(deps)
    deps.metrics.unaccountedDispatches.set((await sweep()) + (await countStrayJobs(deps.db)))
  }

  const runUnlessTiring = async (): Promise<void> => {
    const startedMs = performance.now()
    if (startedMs < notBeforeMs) return
    await runOnce()
    notBeforeMs = performance.now() + (performance.now() - startedMs) * PAUSE_FACTOR
  }

  const { logger } = deps
  const periodic = createPeriodic({ name: 'sample-database', pattern: EVERY_10_SECONDS, logger, run: runUnlessTiring })
  return { ...periodic, runOnce }
}

async function setQueueGauges({ db, metrics, catalog }: SamplerDeps): Promise<void> {
  const samples = await sampleQueue(db)
  const blocked = await countBlocked(db)
  const overdue = await countOverdue(db)
  // Set anew in one go, between two awaits: no scrape sees half of it. Zeros are said, since alarms cannot read silence.
  metrics.jobs.reset()
  metrics.oldestDue.reset()
  metrics.parkedDispatches.reset()
  metrics.blockedCommerces.reset()
  metrics.resultsOverdue.reset()
  const parked = new Map<string, number>(catalog.list().map((connection) => [connection.name, 0]))
  for (const connection of parked.keys()) {
    metrics.blockedCommerces.set({ connection }, blocked.get(connection) ?? 0)
    metrics.resultsOverdue.set({ connection }, overdue.get(connection) ?? 0)
    for (const kind of JOB_KINDS) {
      metrics.jobs.set({ connection, kind }, 0)
      metrics.oldestDue.set({ connection, kind }, 0)
    }
  }
  for (const sample of samples) {
    const { connection, kind } = sample
    metrics.jobs.set({ connection, kind }, sample.jobs)
    metrics.oldestDue.set({ connection, kind }, sample.oldestDueSeconds)
    parked.set(connection, (parked.get(connection) ?? 0) + sample.parked)
  }
  for (const [connection, count] of parked) metrics.parkedDispatches.set({ connection }, count)
}

/**
 * Walks the ledger slice by slice, and looks at the newest slice each time too. Answers the most that the last whole walk, this
 * one so far, or the newest slice found: an alarm stays up until a whole walk finds nothing.
 */
function createSweep(db: Db): () => Promise<number> {
  let lastWalk = 0
  let thisWalk = 0
  let beforeSeq: number | undefined

  return async () => {
    const newest = await countUnaccounted(db)
    const slice = beforeSeq === undefined ? newest : await countUnaccounted(db, beforeSeq)
    thisWalk += slice.unaccounted
    beforeSeq = slice.nextBeforeSeq
    if (beforeSeq === undefined) {
      lastWalk = thisWalk
      thisWalk = 0
    }
    return Math.max(lastWalk, thisWalk, newest.unaccounted)
  }
}
