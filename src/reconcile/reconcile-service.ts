// When which connection is compared with Reten's list: soon after a start, then every two minutes, and when an operator asks. One
// instance at a time for each connection; when the others look again, they see that it was done.
import type { Connection } from '../connection.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { createPeriodic } from '../periodic.ts'
import { reasonNotReconciled } from '../reason-not-reconciled.ts'
import type { RetenActivitiesClient } from '../reten/activities-client.ts'
import type { RetenClient } from '../reten/reten-client.ts'
import type { Service } from '../services.ts'
import { beginReconciliation } from '../store/begin-reconciliation.ts'
import type { ConnectionCatalog } from '../store/connection-catalog.ts'
import type { Db } from '../store/database.ts'
import { endReconciliation } from '../store/end-reconciliation.ts'
import { loadLastReconciliations } from '../store/last-reconciliation.ts'
import type { LastReconciliation } from '../store/last-reconciliation.ts'
import { takeTurn } from '../store/take-turn.ts'
import { MINUTE_MS, SECOND_MS } from '../time.ts'
import type { Clock } from '../time.ts'
import { sweep } from './sweep.ts'
import type { SweepDeps, SweepEnd } from './sweep.ts'
import { createTally } from './tally.ts'
import type { Tally } from './tally.ts'

/** What is asked of Reten, with a connection's key. */
export interface RetenSide {
  readonly client: Pick<RetenClient, 'listTasks'>
  readonly activities: Pick<RetenActivitiesClient, 'listActivities'>
}

export interface ReconcileDeps {
  readonly db: Db
  readonly catalog: Pick<ConnectionCatalog, 'list'>
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'reconcileMissing' | 'reconcileLastSuccess'>
  readonly worker: string
  readonly isEmbedded: boolean
  readonly retenOf: (connection: Connection) => RetenSide | undefined
  readonly takeIn: SweepDeps['takeIn']
  readonly nudge: (kind: 'deliver' | 'report' | 'cancel') => void
  readonly retryDelaysMs?: readonly number[]
}

export interface ReconcileService extends Service {
  /** Begins what is due, and resolves when all that is under way is over. For tests. */
  runOnce(): Promise<void>
}

// An operator's request begins within this.
const EVERY_2_SECONDS = '*/2 * * * * *'
// What Reten gives up is due three minutes after it was created (grace.ts), so at most two after we are back; with these two it is
// taken in within four, and the target is five.
const PERIOD_MS = 2 * MINUTE_MS
// Where polling is all there is, as often as Reten's own dispatcher runs.
const PULL_PERIOD_MS = 30 * SECOND_MS
// A list that takes long to read is read more seldom, so that reading it never takes more than a quarter of the time.
const PAUSE_FACTOR = 4
// Not at once: an instance that starts has a backlog to see to. Not all at once: Reten may have been why they were started.
const [SOONEST_MS, SPREAD_MS] = [5 * SECOND_MS, 15 * SECOND_MS]
// Above what one page takes (10 s), since it is renewed before each; no longer, since a killed process's comparison waits for it.
const TURN_SECONDS = 30
// A thousand connections of a second each are through in two minutes.
const MOST_AT_ONCE = 16

/** Builds the service `reconcile`. */
export function createReconcileService(deps: ReconcileDeps): ReconcileService {
  const { db, catalog, logger } = deps
  const startedAtMs = performance.now()
  const dueAtMs = new Map<string, number>()
  const running = new Map<string, Promise<void>>()
  const faults = new Map<string, string>()
  const unallowed = new Set<string>()
  const ending = new AbortController()

  const compared = (): readonly Connection[] =>
    catalog.list().filter((connection) => reasonNotReconciled(connection, deps.isEmbedded) === undefined)

  const firstDueAtMs = (name: string): number => {
    const known = dueAtMs.get(name)
    if (known !== undefined) return known
    const first = performance.now() + SOONEST_MS + deps.random() * SPREAD_MS
    dueAtMs.set(name, first)
    return first
  }

  /** Puts the next one off where another instance, or this one, did it since this one started. */
  const learn = (connection: Connection, last: LastReconciliation): void => {
    const { name } = connection
    if (last.error === null) faults.delete(name)
    else faults.set(name, last.error)
    deps.metrics.reconcileLastSuccess.set({ connection: name }, (last.lastSuccessAt?.getTime() ?? 0) / 1_000)
    const now = performance.now()
    const agoMs = (last.beganSecondsAgo ?? Number.POSITIVE_INFINITY) * 1_000
    if (agoMs > now - startedAtMs) return
    const periodMs = connection.settings.pullOnly ? PULL_PERIOD_MS : PERIOD_MS
    const dueInMs = Math.max(periodMs, (last.tookSeconds ?? 0) * 1_000 * PAUSE_FACTOR) - agoMs
    dueAtMs.set(name, now + dueInMs)
  }

  const begin = async (connection: Connection): Promise<void> => {
    const { name } = connection
    if (running.has(name) || running.size >= MOST_AT_ONCE || ending.signal.aborted) return
    const turn = { task: `reconcile:${name}`, holder: deps.worker, leaseSeconds: TURN_SECONDS }
    if (!(await takeTurn(db, turn))) return
    const keepTurn = async (): Promise<void> => {
      if (!(await takeTurn(db, turn))) throw new Error('another instance has its turn by now')
    }
    const onHiddenRead = (refusal: string | undefined): void => tellHidden(name, refusal)
    const work = reconcile(deps, connection, { keepTurn, onHiddenRead }, ending.signal)
      .catch((error: unknown) => {
        // The database is away, as a rule; the next time comes in any case, and says so again.
        faults.set(name, error instanceof Error ? error.message : String(error))
        dueAtMs.set(name, performance.now() + PULL_PERIOD_MS)
        logger.warn({ event: 'reconcile.failed', connection: name, err: error }, `${name} was not compared`)
      })
      .finally(() => running.delete(name))
    running.set(name, work)
  }

  /** Said once, and again after it was allowed. */
  const tellHidden = (name: string, refusal: string | undefined): void => {
    if (refusal === undefined) unallowed.delete(name)
    else if (!unallowed.has(name) && !ending.signal.aborted) {
      unallowed.add(name)
      const message = `${name}: what Reten hides from its list for providers cannot be named: ${refusal}`
      logger.info({ event: 'reconcile.hidden_unread', connection: name }, message)
    }
  }

  const tick = async (): Promise<void> => {
    const connections = compared()
    const names = connections.map(({ name }) => name)
    const last = await loadLastReconciliations(db, names)
    // Set anew in one go: no scrape sees half of it, and one that is not compared any more has neither an age nor a fault.
    deps.metrics.reconcileLastSuccess.reset()
    for (const name of faults.keys()) if (!names.includes(name)) faults.delete(name)
    for (const connection of connections) {
      const known = last.get(connection.name)
      if (known !== undefined) learn(connection, known)
    }
    // The one that has waited longest first, or those at the end of a long list would be compared last every time.
    const byDue = connections.toSorted((a, b) => firstDueAtMs(a.name) - firstDueAtMs(b.name))
    for (const connection of byDue) {
      const isRequested = last.get(connection.name)?.isRequested === true
      if (firstDueAtMs(connection.name) <= performance.now() || isRequested) await begin(connection)
    }
  }

  const periodic = createPeriodic({ name: 'reconcile', pattern: EVERY_2_SECONDS, logger, run: tick })
  return {
    ...periodic,
    stop: async () => {
      ending.abort()
      await periodic.stop()
      await Promise.all(running.values())
    },
    fault: () => {
      const all = [...faults].map(([name, fault]) => `${name} was not compared with Reten: ${fault}`)
      const own = periodic.fault()
      return own === undefined && all.length === 0
        ? undefined
        : [...(own === undefined ? [] : [own]), ...all].join('; ')
    },
    runOnce: async () => {
      await tick()
      await Promise.all(running.values())
    },
  }
}

async function reconcile(
  deps: ReconcileDeps,
  connection: Connection,
  { keepTurn, onHiddenRead }: Pick<SweepDeps, 'keepTurn' | 'onHiddenRead'>,
  signal: AbortSignal,
): Promise<void> {
  const { db, worker, nudge } = deps
  const { name } = connection
  const reten = deps.retenOf(connection)
  if (reten === undefined) return
  const begun = await beginReconciliation(db, { connection: name, worker })
  const start = performance.now()
  const tally = createTally()
  const sweepDeps: SweepDeps = {
    db,
    clock: deps.clock,
    worker,
    ...reten,
    tally,
    onHiddenRead,
    connections: deps.catalog.list(),
    isEmbedded: deps.isEmbedded,
    takeIn: deps.takeIn,
    keepTurn,
    onReportDue: () => nudge('report'),
    onCanceled: () => {
      nudge('cancel')
      nudge('deliver') // what waited behind it may go on
    },
    retryDelaysMs: deps.retryDelaysMs,
  }
  let end: SweepEnd
  try {
    end = await sweep(sweepDeps, connection, begun, signal)
  } catch (error) {
    end = { isWhole: false, error: error instanceof Error ? error.message : String(error) }
  }
  const error = signal.aborted && end.error !== undefined ? 'interrupted: this instance stopped' : end.error
  await endReconciliation(db, { id: begun.id, connection: name }, { ...tally, ...end, error })
  if (tally.missing > 0) deps.metrics.reconcileMissing.inc({ connection: name }, tally.missing)
  report(deps, connection, tally, { ...end, error }, performance.now() - start, begun.requestedBy)
}

/** What found nothing is no step of anything: it is told for whoever looks closely, and by the metrics. */
function report(
  { logger }: ReconcileDeps,
  { name }: Connection,
  { findings: _findings, note: _note, ...counts }: Tally,
  { isWhole, error }: SweepEnd,
  durationMs: number,
  requestedBy: string | null,
): void {
  const line = {
    event: 'reconcile.finished',
    connection: name,
    ...counts,
    isWhole,
    durationMs: Math.round(durationMs),
    ...(requestedBy === null ? {} : { requestedBy }),
    ...(error === undefined ? {} : { error }),
  }
  if (error !== undefined) logger.warn(line, `${name} was not compared to the end: ${error}`)
  else if (counts.missing + counts.canceled + counts.proven + counts.reportedAgain > 0 || requestedBy !== null) {
    logger.info(line, `${name} was compared with Reten: ${counts.missing} had never reached us`)
  } else logger.debug(line, `${name} was compared with Reten`)
}
