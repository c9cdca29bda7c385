// Telling Reten one result, so that it stands there once: checked before it is sent, read first where sending it again could
// overwrite our own, and read back where Reten refuses it.
import type { Exchange } from '../dispatch/outcome.ts'
import type { Connection } from '../connection.ts'
import type { RetenAnswer } from '../reten/reten-answer.ts'
import type { RetenClient } from '../reten/reten-client.ts'
import type { ResultTypesReader } from '../reten/result-types.ts'
import type { ResultAccepted } from '../schema-types.ts'
import type { ClaimedJob } from '../store/claim-jobs.ts'
import type { Report } from '../store/load-reports.ts'
import type { Hold } from '../store/settle-report.ts'
import type { Clock } from '../time.ts'
import { checkReport } from './check-report.ts'
import type { ReportCheck } from './check-report.ts'
import { decideBeforeSending, decideReadBack } from './decide-read-back.ts'
import { decideReport } from './decide-report.ts'
import type { ReportDecision, ReportFacts } from './decide-report.ts'
import { readBack } from './read-back.ts'
import type { ReadBackAnswer } from './read-back.ts'
import { toSubmission } from './to-submission.ts'

/** A claimed job with everything its report needs. */
export interface ReadyReport {
  readonly job: ClaimedJob
  readonly connection: Connection
  readonly client: Pick<RetenClient, 'submitResult' | 'listTasks'>
  readonly resultTypes: Pick<ResultTypesReader, 'read'>
  readonly report: Report
  /** Aborts when the claim is lost: another worker may have the job by now. */
  readonly lease: AbortSignal
}

/**
 * - `told`: something was said or decided; `code` is what Reten was told.
 * - `held`: it waits for a setting.
 * - `cut_short`: `isSent`: Reten may have it all the same.
 */
export type Telling =
  | {
      readonly kind: 'told'
      readonly decision: ReportDecision
      readonly code: string
      /** Reten's answer to the submission; undefined where it was not sent. */
      readonly answer: RetenAnswer<ResultAccepted> | undefined
      readonly exchange: Exchange
    }
  | { readonly kind: 'held'; readonly hold: Hold }
  | { readonly kind: 'cut_short'; readonly isSent: boolean }

export interface TellDeps {
  readonly clock: Clock
  readonly random: () => number
}

/** Tells it, or says why not. Rejects with BreakerOpen where nothing was begun, and with faults of ours. */
export async function tellReten(deps: TellDeps, ready: ReadyReport, signal: AbortSignal): Promise<Telling> {
  const { job, report, connection, client } = ready
  const facts: ReportFacts = {
    attempts: job.attempts,
    isFateUnknown: job.isFateUnknown,
    isOverwriting: report.isOverride || report.announcedBy.length > 0,
    retryDelaysSeconds: connection.settings.retryDelaysSeconds,
    random: deps.random,
  }
  const check = await checkAgainstTypes(deps, ready, signal)
  if (signal.aborted) return { kind: 'cut_short', isSent: false }
  if (check.kind !== 'send') {
    const { kind, reasonCode, reason } = check
    if (kind === 'hold') return { kind: 'held', hold: check }
    return unsent({ kind: 'ended', state: 'failed', reasonCode, reason }, report.code)
  }
  const { code } = check
  const askList = (): Promise<ReadBackAnswer> => readBack({ client, clock: deps.clock }, report, code, signal)
  // Without an override Reten itself refuses a second result; with one, a repeat could overwrite our own, or somebody else's.
  if (facts.isOverwriting) {
    const before = await askList()
    if (signal.aborted) return { kind: 'cut_short', isSent: false }
    const decided = decideBeforeSending(before, report, facts)
    if (decided !== undefined) return unsent(decided, code)
  }
  const answer = await client.submitResult(toSubmission(report, { code, isOverwriting: facts.isOverwriting }), signal)
  if (answer.kind === 'unavailable' && answer.code === 'aborted') return { kind: 'cut_short', isSent: answer.isSent }
  const decided = decideReport(answer, facts)
  if (decided.kind !== 'read_back') return { kind: 'told', decision: decided, code, answer, exchange: answer.exchange }
  const seen = await askList()
  // The refusal itself is certain: nothing was carried out by this try.
  if (signal.aborted) return { kind: 'cut_short', isSent: false }
  return { kind: 'told', decision: decideReadBack(decided, seen, facts), code, answer, exchange: answer.exchange }
}

/** By what is remembered of the tenant's types; what is held is looked at again, by what is known by then. */
async function checkAgainstTypes({ clock }: TellDeps, ready: ReadyReport, signal: AbortSignal): Promise<ReportCheck> {
  const { report, connection, resultTypes, job } = ready
  const types = await resultTypes.read(signal)
  return checkReport(report, {
    resultMap: connection.settings.resultMap,
    types: types.kind === 'ok' ? types.value : undefined,
    isFateUnknown: job.isFateUnknown,
    nowMs: clock.now(),
  })
}

function unsent(decision: ReportDecision, code: string): Telling {
  return { kind: 'told', decision, code, answer: undefined, exchange: {} }
}
