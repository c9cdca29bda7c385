// The life of one claimed delivery: read the activity, ask the adapter, decide, write down.
import type { Connection } from '../connection.ts'
import { decideDelivery } from '../dispatch/decide-delivery.ts'
import type { DeliveryDecision } from '../dispatch/decide-delivery.ts'
import { idempotencyKey } from '../dispatch/identity.ts'
import { isJsonObject, readActivity } from '../dispatch/read-activity.ts'
import type { Outcome } from '../dispatch/outcome.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import type { FinishedAttempt } from '../store/attempt.ts'
import type { ClaimedJob } from '../store/claim-jobs.ts'
import type { Db } from '../store/database.ts'
import type { Delivery } from '../store/load-deliveries.ts'
import { releaseJob } from '../store/release-job.ts'
import { pauseConnection } from '../store/pause-connection.ts'
import { settleDelivered, settleFailed, settleParked, settleRetry } from '../store/settle-delivery.ts'
import type { Settled } from '../store/settle-delivery.ts'
import type { Clock } from '../time.ts'
import type { Adapter, DeliverCommand } from './adapters/adapter.ts'

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
  /** Called after a connection was paused. */
  readonly onConnectionChanged: () => void
}

/** A claimed job with everything its delivery needs. */
export interface ReadyDelivery {
  readonly job: ClaimedJob
  readonly connection: Connection
  readonly adapter: Adapter
  /** Undefined where the body is gone. */
  readonly delivery: Delivery | undefined
}

// A fault of ours is tried again after this; it costs no attempt, so it must not be a busy loop either.
const FAULT_DELAY_MS = 15_000

/** An answer, and whether an earlier try may still have done the work. */
interface Asked {
  readonly outcome: Outcome
  readonly isFateUnknown: boolean
}

/** Delivers one claimed dispatch and settles its job. A shutdown or a fault of ours gives the job back uncharged. */
export async function deliverOne(deps: DeliverDeps, ready: ReadyDelivery, signal: AbortSignal): Promise<void> {
  const startedAt = new Date(deps.clock.now())
  const start = performance.now()
  let asked: Asked
  try {
    asked = await askAdapter(ready, signal)
  } catch (error) {
    const { dispatchId, connection } = ready.job
    deps.logger.error(
      { event: 'delivery.fault', dispatchId, connection, err: error },
      'a delivery ended in a fault of ours',
    )
    // The request may have left before the fault: the next try must not take it for undone.
    await giveBack(deps, ready, FAULT_DELAY_MS, true)
    return
  }
  const { outcome, isFateUnknown } = asked
  if (signal.aborted && (outcome.kind === 'ambiguous' || outcome.kind === 'retry')) {
    await giveBack(deps, ready, 0, outcome.kind === 'ambiguous') // our shutdown cut it short: nobody is charged
    return
  }
  const decision = decideDelivery(outcome, {
    attempts: ready.job.attempts,
    retryDelaysSeconds: ready.connection.settings.retryDelaysSeconds,
    idempotency: ready.adapter.capabilities.idempotency,
    isFateUnknown,
    random: deps.random,
  })
  const attempt = toAttempt(deps, ready.job, outcome, startedAt, performance.now() - start)
  const settled = await settle(deps, ready, attempt, decision)
  record(deps, ready, outcome, decision, attempt, settled)
}

/** One answer for one try. Where the last try's fate is unknown, the task is searched for first or the job is parked. */
async function askAdapter(ready: ReadyDelivery, signal: AbortSignal): Promise<Asked> {
  const { job, adapter } = ready
  const command = toCommand(ready)
  if (!('activity' in command)) return { outcome: command, isFateUnknown: job.isFateUnknown }
  if (!job.isFateUnknown) return { outcome: await adapter.deliver(command, signal), isFateUnknown: false }
  const { idempotency } = adapter.capabilities
  if (idempotency === 'key') return { outcome: await adapter.deliver(command, signal), isFateUnknown: true }
  if (idempotency === 'none' || adapter.lookup === undefined) {
    const message = 'an earlier try may have done the work, and the provider can neither recognise nor find it'
    return { outcome: { kind: 'ambiguous', code: 'fate_unknown', message }, isFateUnknown: true }
  }
  const found = await adapter.lookup(command, signal)
  if (found.kind !== 'retry') return { outcome: found, isFateUnknown: true }
  return { outcome: await adapter.deliver(command, signal), isFateUnknown: false }
}

function toCommand(ready: ReadyDelivery): DeliverCommand | Outcome {
  if (ready.delivery === undefined) {
    return { kind: 'rejected', code: 'body_missing', message: 'the stored body is gone' }
  }
  const body = parse(ready.delivery.body)
  const reading = isJsonObject(body) ? readActivity(body, ready.connection.settings.fieldPaths) : undefined
  if (reading?.kind !== 'read') {
    return { kind: 'rejected', code: 'body_unreadable', message: 'the stored body no longer reads as an activity' }
  }
  return {
    connection: ready.connection.name,
    dispatchId: ready.delivery.dispatchId,
    idempotencyKey: idempotencyKey(ready.delivery.dispatchId, ready.job.revision),
    activity: reading.activity,
    body,
  }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined // said by the caller: the stored body no longer reads as an activity
  }
}

function settle(
  deps: DeliverDeps,
  ready: ReadyDelivery,
  attempt: FinishedAttempt,
  decision: DeliveryDecision,
): Promise<Settled> {
  switch (decision.kind) {
    case 'delivered':
      return settleDelivered(deps.db, attempt, decision)
    case 'retry':
      return settleRetry(deps.db, attempt, decision)
    case 'failed':
      return settleFailed(deps.db, attempt, decision.reasonCode)
    case 'parked':
      return settleParked(deps.db, attempt, decision.reason)
    case 'pause_connection':
      return pause(deps, ready, attempt, decision)
    default:
      return decision satisfies never
  }
}

async function pause(
  deps: DeliverDeps,
  ready: ReadyDelivery,
  attempt: FinishedAttempt,
  decision: Extract<DeliveryDecision, { kind: 'pause_connection' }>,
): Promise<Settled> {
  const { name } = ready.connection
  if (await pauseConnection(deps.db, { name, reason: decision.reason, actor: deps.worker })) {
    deps.logger.error({ event: 'connection.paused', connection: name, reason: decision.reason }, `${name} is paused`)
    deps.onConnectionChanged()
  }
  return settleRetry(deps.db, attempt, {
    delayMs: decision.delayMs,
    isCharged: false,
    isFateUnknown: ready.job.isFateUnknown,
  })
}

async function giveBack(
  deps: DeliverDeps,
  ready: ReadyDelivery,
  delayMs: number,
  isFateUnknown: boolean,
): Promise<void> {
  await releaseJob(deps.db, { id: ready.job.id, claimNo: ready.job.claimNo, delayMs, isFateUnknown })
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
  settled: Settled,
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
  if (decision.kind === 'failed' || decision.kind === 'parked')
    deps.logger.error({ event: 'delivery.gave_up', ...line }, attempt.message)
  else if (decision.kind === 'delivered') deps.logger.info({ event: 'delivery.attempted', ...line })
  else deps.logger.warn({ event: 'delivery.attempted', ...line }, attempt.message)
  if (decision.kind === 'delivered' && decision.result !== undefined) deps.onReportDue()
}
