// The life of one claimed delivery: read the activity, ask the adapter, decide, write down.
import { BreakerOpen } from '../breakers.ts'
import type { Connection } from '../connection.ts'
import { decideDelivery, SEARCH_DELAY_MS } from '../dispatch/decide-delivery.ts'
import type { DeliveryDecision } from '../dispatch/decide-delivery.ts'
import { idempotencyKey } from '../dispatch/identity.ts'
import { readActivity } from '../dispatch/read-activity.ts'
import { OUTCOME_KINDS } from '../dispatch/outcome.ts'
import type { Outcome } from '../dispatch/outcome.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { parseBody } from '../parse-body.ts'
import type { FinishedAttempt } from '../store/attempt.ts'
import type { ClaimedJob } from '../store/claim-jobs.ts'
import type { Db } from '../store/database.ts'
import type { Delivery } from '../store/load-deliveries.ts'
import { endTrial } from '../store/end-trial.ts'
import { insist } from '../store/insist.ts'
import { releaseJob, releaseUnbegunJob } from '../store/release-job.ts'
import { settleCanceled } from '../store/settle-canceled.ts'
import { settleProven } from '../store/settle-delivery.ts'
import type { DeliverySettled } from '../store/settle-delivery.ts'
import type { Clock } from '../time.ts'
import { NOT_FOUND } from './adapters/adapter.ts'
import type { DeliverCommand } from './adapters/adapter.ts'
import type { DeliveringAdapter } from './guarded-adapter.ts'
import { settleOutcome } from './settle-outcome.ts'

export interface DeliverDeps {
  readonly db: Db
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly metrics: Metrics
  /** Names this process in claims and attempts. */
  readonly worker: string
  /** Called after a settling that made a report due. */
  readonly onReportDue: () => void
  /** Called after a settling that left a task to cancel. */
  readonly onCancelDue: () => void
  /** Called after a connection was paused, or its trial ended. */
  readonly onConnectionChanged: () => void
  /** For a search and a delivery together; default 50,000. */
  readonly deadlineMs?: number
}

/** A claimed job with everything its delivery needs. */
export interface ReadyDelivery {
  readonly job: ClaimedJob
  readonly connection: Connection
  readonly adapter: DeliveringAdapter
  /** Undefined where the body is gone. */
  readonly delivery: Delivery | undefined
  /** Aborts when the claim is lost: another worker may have the job by now. */
  readonly lease: AbortSignal
}

// Longer than any provider takes that is going to answer at all.
const DEADLINE_MS = 50_000
// An answer that came while the database is away is worth waiting for: without it the task would be one of unknown fate. Within
// the time for which leases are renewed.
const SETTLE_UNTIL_MS = 4 * 60_000

// A fault of ours is tried again after this; it costs no attempt, so it must not be a busy loop either.
const FAULT_DELAY_MS = 15_000

/** An answer, and whether an earlier try may still have done the work. */
interface Asked {
  readonly outcome: Outcome
  readonly isFateUnknown: boolean
  /** Nobody was asked: the provider could not recognise what it may have done before. */
  readonly isOurs?: boolean
}

/**
 * Delivers one claimed dispatch and settles its job. A shutdown, a lost lease or a fault of ours gives the job back uncharged;
 * an answer that came all the same is written down, unless another worker has the job.
 */
export async function deliverOne(deps: DeliverDeps, ready: ReadyDelivery, signal: AbortSignal): Promise<void> {
  const startedAt = new Date(deps.clock.now())
  const start = performance.now()
  const patience = { untilMs: start + SETTLE_UNTIL_MS, signal }
  if (ready.delivery?.state === 'canceled') {
    await insist(deps.db, () => endCanceled(deps, ready), patience)
    return
  }
  if (isProven(ready)) {
    await insist(deps.db, () => endProven(deps, ready), patience)
    return
  }
  const giveBack = async (delayMs: number, isFateUnknown: boolean): Promise<void> => {
    await insist(deps.db, () => releaseJob(deps.db, { ...ready.job, delayMs, isFateUnknown }), patience)
  }
  const giveBackUnbegun = (delayMs: number): Promise<void> =>
    insist(deps.db, () => releaseUnbegunJob(deps.db, ready.job, delayMs), patience)
  // By the calendar, not by a stopwatch: a machine that slept after the claim has less left than it thinks, and another
  // worker may have the job by now.
  const leftMs = ready.job.claimedAtMs + (deps.deadlineMs ?? DEADLINE_MS) - Date.now()
  if (leftMs <= 0) {
    await giveBackUnbegun(0)
    return
  }
  let asked: Asked
  try {
    asked = await askAdapter(ready, AbortSignal.any([signal, ready.lease, AbortSignal.timeout(leftMs)]))
  } catch (error) {
    if (error instanceof BreakerOpen) {
      await giveBackUnbegun(error.retryInMs)
      return
    }
    const { dispatchId, connection } = ready.job
    deps.logger.error(
      { event: 'delivery.fault', dispatchId, connection, err: error },
      'a delivery ended in a fault of ours',
    )
    // The request may have left before the fault: the next try must not take it for undone.
    await giveBack(FAULT_DELAY_MS, true)
    return
  }
  const { outcome, isFateUnknown, isOurs } = asked
  const idempotency = isOurs === true ? 'none' : ready.adapter.capabilities.idempotency
  const isCutShort = signal.aborted || ready.lease.aborted
  if (isCutShort && (outcome.kind === 'ambiguous' || outcome.kind === 'retry')) {
    // We cut it short ourselves: nobody is charged. What may be under way at the provider is searched for later, not now.
    const isUnderWay = outcome.kind === 'ambiguous' && idempotency === 'lookup'
    await giveBack(isUnderWay ? SEARCH_DELAY_MS : 0, outcome.kind === 'ambiguous')
    return
  }
  const decision = decideDelivery(outcome, {
    attempts: ready.job.attempts,
    retryDelaysSeconds: ready.connection.settings.retryDelaysSeconds,
    idempotency,
    isFateUnknown,
    refusals: ready.job.refusals,
    isOnTrial: ready.connection.isOnTrial,
    random: deps.random,
  })
  const attempt = toAttempt(deps, ready.job, outcome, startedAt, performance.now() - start)
  const settled = await insist(deps.db, () => settleOutcome(deps, attempt, decision, ready.connection), patience)
  record(deps, ready, outcome, decision, attempt, settled)
  // Only what the provider looked at shows that it takes our key; a time-out or a busy one says nothing of it.
  const isLookedAt = isOurs !== true && (outcome.kind === 'accepted' || outcome.kind === 'rejected')
  if (ready.connection.isOnTrial && isLookedAt) {
    await endTrial(deps.db, ready.connection.name, 'deliveries')
    deps.onConnectionChanged()
  }
}

/** A final event proved an earlier try; a job that was never tried in earnest is a replay's and is carried out all the same. */
function isProven({ job, delivery }: ReadyDelivery): boolean {
  return delivery !== undefined && delivery.state !== 'received' && (job.attempts > 0 || job.isFateUnknown)
}

async function endProven(deps: DeliverDeps, { job, delivery }: ReadyDelivery): Promise<void> {
  const settled = await settleProven(deps.db, job)
  if (settled === 'stale') return releaseUnbegunJob(deps.db, job, 0)
  const line = { dispatchId: job.dispatchId, activityId: delivery?.activityId, connection: job.connection, settled }
  deps.logger.info({ event: 'delivery.proven', ...line }, 'the provider told that it is done: not tried again')
}

/** It was cancelled, and the worker that had it gave it back or died: not tried again. */
async function endCanceled(deps: DeliverDeps, { job, delivery }: ReadyDelivery): Promise<void> {
  const settled = await settleCanceled(deps.db, job)
  if (settled === 'stale') return releaseUnbegunJob(deps.db, job, 0)
  const line = { dispatchId: job.dispatchId, activityId: delivery?.activityId, connection: job.connection, settled }
  deps.logger.info({ event: 'delivery.canceled', ...line }, 'it was cancelled: not tried again')
  deps.onCancelDue()
}

/** One answer for one try. Where the last try's fate is unknown, the task is searched for first or the job is parked. */
async function askAdapter(ready: ReadyDelivery, signal: AbortSignal): Promise<Asked> {
  const { job, adapter } = ready
  const command = toCommand(ready)
  if (!('activity' in command)) return { outcome: command, isFateUnknown: job.isFateUnknown, isOurs: true }
  if (!job.isFateUnknown) return { outcome: await deliver(ready, command, signal), isFateUnknown: false }
  const { idempotency } = adapter.capabilities
  if (idempotency === 'key') return { outcome: await deliver(ready, command, signal), isFateUnknown: true }
  if (idempotency === 'none' || adapter.lookup === undefined) {
    const message = 'an earlier try may have done the work, and the provider can neither recognise nor find it'
    return { outcome: { kind: 'ambiguous', code: 'fate_unknown', message }, isFateUnknown: true }
  }
  const found = checked(await adapter.lookup(command, signal))
  if (found.kind !== 'retry') return { outcome: found, isFateUnknown: true }
  // An adapter may be anybody's module: only what says that it is not there may be delivered again.
  if (found.code !== NOT_FOUND) return { outcome: { ...found, kind: 'ambiguous' }, isFateUnknown: true }
  return { outcome: await deliver(ready, command, signal), isFateUnknown: false }
}

async function deliver({ adapter }: ReadyDelivery, command: DeliverCommand, signal: AbortSignal): Promise<Outcome> {
  return checked(await adapter.deliver(command, signal))
}

/** An adapter may be anybody's module: what is no outcome is a fault, and must not be taken for one later on. */
function checked<T extends Outcome>(outcome: T): T {
  const { kind }: { readonly kind: unknown } = outcome
  if (OUTCOME_KINDS.some((known) => known === kind)) return outcome
  throw new TypeError(`the adapter answered no outcome but ${JSON.stringify(kind)}`)
}

function toCommand(ready: ReadyDelivery): DeliverCommand | Outcome {
  if (ready.delivery === undefined) {
    return { kind: 'rejected', code: 'body_missing', message: 'the stored body is gone' }
  }
  // Read as it was when it was taken in, or what is acknowledged could turn out to be undeliverable.
  const parsed = parseBody(ready.delivery.body)
  const fieldPaths = ready.delivery.isListed ? undefined : ready.connection.settings.fieldPaths
  const reading = parsed.ok ? readActivity(parsed.value, fieldPaths) : undefined
  if (!parsed.ok || reading?.kind !== 'read') {
    return { kind: 'rejected', code: 'body_unreadable', message: 'the stored body no longer reads as an activity' }
  }
  return {
    connection: ready.connection.name,
    dispatchId: ready.delivery.dispatchId,
    idempotencyKey: idempotencyKey(ready.delivery.dispatchId, ready.job.revision),
    activity: reading.activity,
    body: parsed.value,
  }
}

function toAttempt(
  deps: DeliverDeps,
  job: ClaimedJob,
  outcome: Outcome,
  startedAt: Date,
  durationMs: number,
): FinishedAttempt {
  return {
    job,
    startedAt,
    durationMs,
    outcome: outcome.kind,
    httpStatus: outcome.exchange?.status,
    code: outcome.kind === 'accepted' ? undefined : outcome.code,
    message: outcome.kind === 'accepted' ? undefined : outcome.message,
    request: outcome.exchange?.request,
    response: outcome.exchange?.response,
    worker: deps.worker,
  }
}

function record(
  deps: DeliverDeps,
  ready: ReadyDelivery,
  outcome: Outcome,
  decision: DeliveryDecision,
  attempt: FinishedAttempt,
  settled: DeliverySettled,
): void {
  const { job, delivery } = ready
  const labels = { connection: job.connection, kind: job.kind }
  deps.metrics.attempts.inc({ ...labels, outcome: outcome.kind, code: attempt.code ?? 'none' })
  deps.metrics.attemptDuration.observe(labels, attempt.durationMs / 1_000)
  const line = {
    dispatchId: job.dispatchId,
    activityId: delivery?.activityId,
    connection: job.connection,
    attempt: job.attempts + 1,
    durationMs: Math.round(attempt.durationMs),
    outcome: outcome.kind,
    code: attempt.code,
    decision: decision.kind,
    settled,
  }
  if (settled === 'stale') deps.logger.warn({ event: 'delivery.stale', ...line }, 'another worker has the job by now')
  else if (settled === 'canceled') {
    deps.logger.info({ event: 'delivery.canceled', ...line }, 'it was cancelled meanwhile')
    deps.onCancelDue()
  } else if (decision.kind === 'failed' || decision.kind === 'parked')
    deps.logger.error({ event: 'delivery.gave_up', ...line })
  else if (decision.kind === 'delivered') deps.logger.info({ event: 'delivery.attempted', ...line })
  else deps.logger.warn({ event: 'delivery.attempted', ...line })
  const { onGiveUp } = ready.connection.settings
  const isTold = decision.kind === 'delivered' ? decision.result !== undefined : onGiveUp !== undefined
  if (settled !== 'stale' && isTold && (decision.kind === 'delivered' || decision.kind === 'failed')) deps.onReportDue()
}
