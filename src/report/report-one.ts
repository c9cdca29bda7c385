// The life of one claimed report: tell Reten, understand the answer, write it down.
import { BreakerOpen } from '../breakers.ts'
import type { Connection } from '../connection.ts'
import { isFinal } from '../dispatch/result.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import type { FinishedAttempt } from '../store/attempt.ts'
import type { ClaimedJob } from '../store/claim-jobs.ts'
import type { Db } from '../store/database.ts'
import { endTrial } from '../store/end-trial.ts'
import { insist } from '../store/insist.ts'
import { pauseConnection } from '../store/pause-connection.ts'
import { releaseJob, releaseUnbegunJob } from '../store/release-job.ts'
import type { Settled } from '../store/settle-delivery.ts'
import { settleHeld, settleReportEnded, settleReportRetry, settleReported } from '../store/settle-report.ts'
import type { Clock } from '../time.ts'
import type { ReportDecision } from './decide-report.ts'
import { recordHeld, recordReport } from './record-report.ts'
import { tellReten } from './tell-reten.ts'
import type { ReadyReport, Telling } from './tell-reten.ts'

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

type Told = Extract<Telling, { readonly kind: 'told' }>

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
  let telling: Telling
  try {
    telling = await tellReten(deps, ready, AbortSignal.any([signal, ready.lease]))
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
  if (telling.kind === 'cut_short') {
    await giveBack(0, telling.isSent)
    return
  }
  if (telling.kind === 'held') {
    const { hold } = telling
    const settled = await insist(deps.db, () => settleHeld(deps.db, job, hold), patience)
    recordHeld(deps, ready, hold, settled)
    return
  }
  const { decision, code } = telling
  const attempt = toAttempt(deps, job, telling, startedAt, performance.now() - start)
  const settled = await insist(deps.db, () => settle(deps, ready, attempt, decision, code), patience)
  recordReport(deps, ready, decision, attempt, settled)
  if (ready.connection.reporting.isOnTrial && isLookedAt(telling)) {
    await endTrial(deps.db, ready.connection.name, 'reporting')
    deps.onConnectionChanged()
  }
}

/** Whether Reten let the key in and looked at the result, whatever it made of it. */
function isLookedAt({ answer, decision }: Told): boolean {
  return answer?.kind === 'ok' || (answer?.kind === 'refused' && decision.kind !== 'pause_reporting')
}

function settle(
  deps: ReportDeps,
  ready: ReadyReport,
  attempt: FinishedAttempt,
  decision: ReportDecision,
  code: string,
): Promise<Settled> {
  const { report } = ready
  switch (decision.kind) {
    case 'reported':
      return settleReported(deps.db, attempt, {
        retenResultId: decision.retenResultId,
        isFinal: isFinal(report.status) && report.source !== 'service',
        toldCode: code === report.code ? undefined : code,
        retenSide: decision.retenSide,
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
    logger.error({ event: 'reporting.paused', connection: name }, `${name} reports nothing: ${reason}`)
    onConnectionChanged()
  }
  return settleReportRetry(db, attempt, { delayMs, isCharged: false, isFateUnknown })
}

function toAttempt(
  deps: ReportDeps,
  job: ClaimedJob,
  { answer, exchange, decision }: Told,
  startedAt: Date,
  durationMs: number,
): FinishedAttempt {
  const said = { httpStatus: exchange.status, request: exchange.request, response: exchange.response }
  const base = { job, startedAt, durationMs, worker: deps.worker, ...said }
  if (answer === undefined) return { ...base, ...describeUnsent(decision) }
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

/** Nothing was sent by this try. */
function describeUnsent(decision: ReportDecision): Pick<FinishedAttempt, 'outcome' | 'code' | 'message'> {
  if (decision.kind === 'reported') return { outcome: 'accepted', code: 'read_back' }
  if (decision.kind === 'ended') return { outcome: 'rejected', code: decision.reasonCode, message: decision.reason }
  return { outcome: 'retry', code: 'list_unavailable', message: "Reten's list of tasks could not be read" }
}
