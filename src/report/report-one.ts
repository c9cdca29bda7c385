// The life of one claimed report: tell Reten, understand the answer, write it down.
import { BreakerOpen } from '../breakers.ts'
import type { Connection } from '../connection.ts'
import { isFinal } from '../dispatch/result.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import type { RetenAnswer } from '../reten/reten-answer.ts'
import type { RetenClient } from '../reten/reten-client.ts'
import type { ResultAccepted } from '../schema-types.ts'
import type { FinishedAttempt } from '../store/attempt.ts'
import type { ClaimedJob } from '../store/claim-jobs.ts'
import type { Db } from '../store/database.ts'
import type { Report } from '../store/load-reports.ts'
import { endTrial } from '../store/end-trial.ts'
import { insist } from '../store/insist.ts'
import { pauseConnection } from '../store/pause-connection.ts'
import { releaseJob, releaseUnbegunJob } from '../store/release-job.ts'
import type { Settled } from '../store/settle-delivery.ts'
import { settleReportEnded, settleReportRetry, settleReported } from '../store/settle-report.ts'
import type { Clock } from '../time.ts'
import { decideReport } from './decide-report.ts'
import type { ReportDecision } from './decide-report.ts'
import { toSubmission } from './to-submission.ts'

export interface ReportDeps {
  readonly db: Db
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly metrics: Metrics
  /** Names this process in claims and attempts. */
  readonly worker: string
  /** Called after reporting was paused for a connection, or its trial ended. */
  readonly onConnectionChanged: () => void
}

/** A claimed job with everything its report needs. */
export interface ReadyReport {
  readonly job: ClaimedJob
  readonly connection: Connection
  readonly client: Pick<RetenClient, 'submitResult'>
  readonly report: Report
  /** Aborts when the claim is lost: another worker may have the job by now. */
  readonly lease: AbortSignal
}

// An answer that came while the database is away is worth waiting for. Within the time for which leases are renewed.
const SETTLE_UNTIL_MS = 4 * 60_000

// A fault of ours is tried again after this; it costs no attempt.
const FAULT_DELAY_MS = 15_000

/** Reports one result and settles its job. A shutdown, a lost lease or a fault of ours gives the job back uncharged. */
export async function reportOne(deps: ReportDeps, ready: ReadyReport, signal: AbortSignal): Promise<void> {
  const { job } = ready
  const startedAt = new Date(deps.clock.now())
  const start = performance.now()
  const patience = { untilMs: start + SETTLE_UNTIL_MS, signal }
  const giveBack = async (delayMs: number, isFateUnknown: boolean): Promise<void> => {
    await insist(deps.db, () => releaseJob(deps.db, { ...job, delayMs, isFateUnknown }), patience)
  }
  let answer: RetenAnswer<ResultAccepted>
  try {
    answer = await ready.client.submitResult(toSubmission(ready.report), AbortSignal.any([signal, ready.lease]))
  } catch (error) {
    if (error instanceof BreakerOpen) {
      await insist(deps.db, () => releaseUnbegunJob(deps.db, job, error.retryInMs), patience)
      return
    }
    deps.logger.error(
      { event: 'report.fault', dispatchId: job.dispatchId, err: error },
      'a report ended in a fault of ours',
    )
    await giveBack(FAULT_DELAY_MS, true)
    return
  }
  if (answer.kind === 'unavailable' && answer.code === 'aborted') {
    await giveBack(0, answer.isSent)
    return
  }
  const decision = decideReport(answer, {
    attempts: job.attempts,
    isFateUnknown: job.isFateUnknown,
    retryDelaysSeconds: ready.connection.settings.retryDelaysSeconds,
    random: deps.random,
  })
  const attempt = toAttempt(deps, job, answer, startedAt, performance.now() - start)
  const settled = await insist(deps.db, () => settle(deps, ready, attempt, decision), patience)
  record(deps, ready, decision, attempt, settled)
  if (ready.connection.reporting.isOnTrial && isLookedAt(answer, decision)) {
    await endTrial(deps.db, ready.connection.name, 'reporting')
    deps.onConnectionChanged()
  }
}

/** Whether Reten let the key in and looked at the result, whatever it made of it. */
function isLookedAt(answer: RetenAnswer<ResultAccepted>, { kind }: ReportDecision): boolean {
  return kind === 'reported' || (kind === 'ended' && answer.kind === 'refused')
}

function settle(
  deps: ReportDeps,
  ready: ReadyReport,
  attempt: FinishedAttempt,
  decision: ReportDecision,
): Promise<Settled> {
  switch (decision.kind) {
    case 'reported':
      return settleReported(deps.db, attempt, {
        retenResultId: decision.retenResultId,
        isFinal: isFinal(ready.report.status),
      })
    case 'retry':
      return settleReportRetry(deps.db, attempt, decision)
    case 'ended':
      return settleReportEnded(deps.db, attempt, decision)
    case 'pause_reporting':
      return pause(deps, ready.connection, attempt, decision)
    default:
      return decision satisfies never
  }
}

async function pause(
  { db, logger, worker, onConnectionChanged }: ReportDeps,
  { name, version }: Connection,
  attempt: FinishedAttempt,
  { reason, delayMs, isFateUnknown }: Extract<ReportDecision, { kind: 'pause_reporting' }>,
): Promise<Settled> {
  if (await pauseConnection(db, { name, side: 'reporting', reason, version, actor: worker })) {
    logger.error({ event: 'reporting.paused', connection: name }, `${name} reports nothing: Reten refuses our key`)
    onConnectionChanged()
  }
  return settleReportRetry(db, attempt, { delayMs, isCharged: false, isFateUnknown })
}

function toAttempt(
  deps: ReportDeps,
  job: ClaimedJob,
  answer: RetenAnswer<ResultAccepted>,
  startedAt: Date,
  durationMs: number,
): FinishedAttempt {
  const { exchange } = answer
  const said = { httpStatus: exchange.status, request: exchange.request, response: exchange.response }
  const base = { job, startedAt, durationMs, worker: deps.worker, ...said }
  switch (answer.kind) {
    case 'ok':
      return { ...base, outcome: 'accepted' }
    case 'refused': {
      const outcome = answer.status === 401 || answer.status === 403 ? 'unauthorized' : 'rejected'
      return { ...base, outcome, code: `http_${answer.status}`, message: answer.message }
    }
    case 'unavailable':
      return {
        ...base,
        outcome: answer.isSent ? 'ambiguous' : 'retry',
        code: answer.code,
        message: answer.message,
      }
    default:
      return answer satisfies never
  }
}

function record(
  deps: ReportDeps,
  ready: ReadyReport,
  decision: ReportDecision,
  attempt: FinishedAttempt,
  settled: Settled,
): void {
  const { job, report } = ready
  const labels = { connection: job.connection, kind: job.kind }
  deps.metrics.attempts.inc({ ...labels, outcome: attempt.outcome, code: attempt.code ?? 'none' })
  deps.metrics.attemptDuration.observe(labels, attempt.durationMs / 1_000)
  const line = {
    dispatchId: job.dispatchId,
    activityId: report.activityId,
    connection: job.connection,
    attempt: job.attempts + 1,
    durationMs: Math.round(attempt.durationMs),
    status: report.status,
    code: attempt.code,
    settled,
  }
  if (settled === 'stale') {
    deps.logger.warn({ event: 'report.stale', ...line }, 'another worker has the job by now')
    return
  }
  if (decision.kind === 'retry' || decision.kind === 'pause_reporting') {
    deps.logger.warn({ event: 'result.postponed', ...line, delayMs: decision.delayMs }, attempt.message)
    return
  }
  const outcome = decision.kind === 'reported' ? 'reported' : decision.state
  deps.metrics.results.inc({ connection: job.connection, outcome })
  if (decision.kind === 'ended') {
    deps.logger.error({ event: 'result.failed', ...line, state: decision.state }, decision.reason)
    return
  }
  if (isFinal(report.status)) {
    const seconds = (deps.clock.now() - report.receivedAt.getTime()) / 1_000
    deps.metrics.endToEndDuration.observe({ connection: job.connection }, Math.max(0, seconds))
  }
  deps.logger.info({ event: 'result.reported', ...line })
}
