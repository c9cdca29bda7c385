// The life of one claimed cancellation: ask the provider, decide, write down.
import type { Connection } from '../connection.ts'
import { decideCancel } from '../dispatch/decide-cancel.ts'
import type { CancelDecision } from '../dispatch/decide-cancel.ts'
import { idempotencyKey } from '../dispatch/identity.ts'
import { CANCEL_OUTCOME_KINDS } from '../dispatch/outcome.ts'
import type { CancelOutcome } from '../dispatch/outcome.ts'
import type { Cancellation } from '../dispatch/states.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import type { FinishedAttempt } from '../store/attempt.ts'
import type { ClaimedJob } from '../store/claim-jobs.ts'
import type { Db } from '../store/database.ts'
import { insist } from '../store/insist.ts'
import type { Cancellable } from '../store/load-cancellations.ts'
import { releaseJob } from '../store/release-job.ts'
import { settleCancelEnded, settleCancelOvertaken, settleCancelRetry } from '../store/settle-cancel.ts'
import type { Settled } from '../store/settle-delivery.ts'
import type { Clock } from '../time.ts'
import type { Adapter, CancelCommand } from './adapters/adapter.ts'
import { answerInTime } from './answer-in-time.ts'
import { pauseRefused } from './settle-outcome.ts'

export interface CancelDeps {
  readonly db: Db
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly metrics: Metrics
  /** Names this process in claims and attempts. */
  readonly worker: string
  /** Called after a connection was paused. */
  readonly onConnectionChanged: () => void
}

/** A claimed job with everything it needs. */
export interface ReadyCancel {
  readonly job: ClaimedJob
  readonly connection: Connection
  readonly adapter: Adapter
  /** Undefined where the dispatch is gone. */
  readonly cancellable: Cancellable | undefined
  /** Aborts when the claim is lost. */
  readonly lease: AbortSignal
}

// As long as a delivery may take.
const DEADLINE_MS = 50_000

// An answer that came while the database is away is worth waiting for. Within the time for which leases are renewed.
const SETTLE_UNTIL_MS = 4 * 60_000

// A fault of ours is tried again after this; it costs no attempt.
const FAULT_DELAY_MS = 15_000

/** Asks for one cancellation and settles its job. A shutdown, a lost lease or a fault of ours gives the job back uncharged. */
export async function cancelOne(deps: CancelDeps, ready: ReadyCancel, signal: AbortSignal): Promise<void> {
  const { job, cancellable } = ready
  const startedAt = new Date(deps.clock.now())
  const start = performance.now()
  const patience = { untilMs: start + SETTLE_UNTIL_MS, signal }
  const giveBack = async (delayMs: number): Promise<void> => {
    await insist(deps.db, () => releaseJob(deps.db, { ...job, delayMs, isFateUnknown: false }), patience)
  }
  if (cancellable === undefined || cancellable.isOvertaken || cancellable.revision !== job.revision) {
    await insist(deps.db, () => settleCancelOvertaken(deps.db, job), patience)
    return
  }
  const leftMs = job.claimedAtMs + DEADLINE_MS - Date.now()
  if (leftMs <= 0) {
    await giveBack(0)
    return
  }
  let outcome: CancelOutcome
  try {
    outcome = await ask(ready, cancellable, AbortSignal.any([signal, ready.lease, AbortSignal.timeout(leftMs)]))
  } catch (error) {
    const line = { event: 'cancel.fault', dispatchId: job.dispatchId, connection: job.connection, err: error }
    deps.logger.error(line, 'a cancellation ended in a fault of ours')
    await giveBack(FAULT_DELAY_MS)
    return
  }
  if ((signal.aborted || ready.lease.aborted) && (outcome.kind === 'ambiguous' || outcome.kind === 'retry')) {
    await giveBack(0) // we cut it short ourselves: nobody is charged
    return
  }
  const decision = decideCancel(outcome, {
    attempts: job.attempts,
    retryDelaysSeconds: ready.connection.settings.retryDelaysSeconds,
    random: deps.random,
  })
  const attempt = toAttempt(deps, job, outcome, startedAt, performance.now() - start)
  const settled = await insist(deps.db, () => settle(deps, ready, attempt, decision), patience)
  record(deps, ready, decision, attempt, settled)
}

async function ask(
  { job, adapter }: ReadyCancel,
  cancellable: Cancellable,
  signal: AbortSignal,
): Promise<CancelOutcome> {
  if (adapter.cancel === undefined) {
    const message = `${adapter.provider} cancels no tasks as far as we know: cancel it there by hand`
    return { kind: 'unsupported', code: 'cancel_unsupported', message }
  }
  const { dispatchId, activityId, providerTaskId } = cancellable
  const command: CancelCommand = {
    connection: job.connection,
    dispatchId,
    activityId,
    idempotencyKey: idempotencyKey(dispatchId, job.revision),
    providerTaskId: providerTaskId ?? undefined,
  }
  const outcome = await answerInTime(adapter.cancel(command, signal), signal)
  // An adapter may be anybody's module: what is no outcome is a fault, and must not be taken for one later on.
  const { kind }: { readonly kind: unknown } = outcome
  if (CANCEL_OUTCOME_KINDS.some((known) => known === kind)) return outcome
  throw new TypeError(`the adapter answered no outcome of a cancellation but ${JSON.stringify(kind)}`)
}

async function settle(
  deps: CancelDeps,
  ready: ReadyCancel,
  attempt: FinishedAttempt,
  decision: CancelDecision,
): Promise<Settled> {
  switch (decision.kind) {
    case 'ended':
      return settleCancelEnded(deps.db, attempt, decision.cancellation)
    case 'retry':
      return settleCancelRetry(deps.db, attempt, decision)
    case 'pause_connection':
      await pauseRefused(deps, ready.connection.name, decision.reason, ready.connection.version)
      return settleCancelRetry(deps.db, attempt, { delayMs: decision.delayMs, isCharged: false })
    default:
      return decision satisfies never
  }
}

function toAttempt(
  deps: CancelDeps,
  job: ClaimedJob,
  outcome: CancelOutcome,
  startedAt: Date,
  durationMs: number,
): FinishedAttempt {
  const exchange = 'exchange' in outcome ? outcome.exchange : undefined
  return {
    job,
    startedAt,
    durationMs,
    outcome: outcome.kind,
    httpStatus: exchange?.status,
    code: outcome.kind === 'canceled' ? undefined : outcome.code,
    message: outcome.kind === 'canceled' ? undefined : outcome.message,
    request: exchange?.request,
    response: exchange?.response,
    worker: deps.worker,
  }
}

/** What leaves a task that nobody wants: somebody has to cancel it at the provider by hand. */
const IN_VAIN: ReadonlySet<Cancellation> = new Set(['refused', 'unsupported', 'gave_up'])

function record(
  deps: CancelDeps,
  { job, cancellable }: ReadyCancel,
  decision: CancelDecision,
  attempt: FinishedAttempt,
  settled: Settled,
): void {
  const labels = { connection: job.connection, kind: job.kind }
  deps.metrics.attempts.inc({ ...labels, outcome: attempt.outcome, code: attempt.code ?? 'none' })
  deps.metrics.attemptDuration.observe(labels, attempt.durationMs / 1_000)
  const line = {
    dispatchId: job.dispatchId,
    activityId: cancellable?.activityId,
    connection: job.connection,
    attempt: job.attempts + 1,
    durationMs: Math.round(attempt.durationMs),
    outcome: attempt.outcome,
    code: attempt.code,
    settled,
  }
  if (settled === 'stale') deps.logger.warn({ event: 'cancel.stale', ...line }, 'another worker has the job by now')
  else if (decision.kind !== 'ended') deps.logger.warn({ event: 'cancel.attempted', ...line }, attempt.message)
  else if (IN_VAIN.has(decision.cancellation)) deps.logger.error({ event: 'cancel.failed', ...line }, attempt.message)
  else deps.logger.info({ event: 'cancel.attempted', ...line })
}
