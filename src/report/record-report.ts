// What one report leaves in the log and the metrics.
import { isFinal } from '../dispatch/result.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import type { FinishedAttempt } from '../store/attempt.ts'
import type { Settled } from '../store/settle-delivery.ts'
import type { Hold } from '../store/settle-report.ts'
import type { Clock } from '../time.ts'
import type { ReportDecision } from './decide-report.ts'
import type { ReadyReport } from './tell-reten.ts'

export interface RecordDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Counts and tells what one try came to; what another worker settles is counted there. */
export function recordReport(
  deps: RecordDeps,
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
    ...toLine(ready),
    attempt: job.attempts + 1,
    durationMs: Math.round(attempt.durationMs),
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

/** Tells once, and counts once, that a result waits for a setting. */
export function recordHeld(deps: RecordDeps, ready: ReadyReport, { reasonCode, reason }: Hold, settled: Settled): void {
  if (settled === 'stale' || ready.report.heldFor === reasonCode) return
  deps.metrics.results.inc({ connection: ready.job.connection, outcome: 'held' })
  deps.logger.error({ event: 'result.held', ...toLine(ready), code: reasonCode }, reason)
}

function toLine({ job, report }: ReadyReport) {
  const { dispatchId, connection } = job
  return { dispatchId, activityId: report.activityId, connection, status: report.status }
}
