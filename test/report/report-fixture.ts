// Reports to a Reten that the test writes: claimed from a real database, sent over real HTTP.

import type { HttpClient } from '../../src/http-client.ts'
import { createMetrics } from '../../src/metrics.ts'
import { reportOne } from '../../src/report/report-one.ts'
import type { ReportDeps } from '../../src/report/report-one.ts'
import { createRetenClient } from '../../src/reten/reten-client.ts'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import type { Db } from '../../src/store/database.ts'
import { loadReports } from '../../src/store/load-reports.ts'
import { systemClock } from '../../src/time.ts'
import { buildConnection, createListeningLogger, neverAborted } from '../deliver/delivery-fixture.ts'
import type { LogLine } from '../deliver/delivery-fixture.ts'
import { claimOne } from '../support/ledger.ts'

export const RETEN_KEY = 'rtn_sk_0123456789abcdef'
export const RESULTS_PATH = '/api/integration/activity-results/tasks'

export interface ReportBench {
  readonly lines: LogLine[]
  readonly metrics: ReturnType<typeof createMetrics>
  /** Claims the one report that is due and runs it to its end. */
  run(signal?: AbortSignal): Promise<void>
  runClaimed(job: ClaimedJob, signal?: AbortSignal, lease?: AbortSignal): Promise<void>
}

/** Everything around one report to the Reten at `origin`. */
export function setUpReports(
  db: Db,
  http: HttpClient,
  origin: string,
  options: { readonly timeoutMs?: number } = {},
): ReportBench {
  const { logger, lines } = createListeningLogger()
  const metrics = createMetrics({ withNodeMetrics: false })
  const client = createRetenClient({ baseUrl: origin, apiKey: RETEN_KEY, http, timeoutMs: options.timeoutMs })
  const connection = buildConnection({ retry_delays: [20, 30] })
  const deps: ReportDeps = {
    db,
    clock: systemClock,
    random: () => 0.5,
    logger,
    metrics,
    worker: 'worker-a',
    onConnectionChanged: () => {},
  }
  const runClaimed: ReportBench['runClaimed'] = async (job, signal = neverAborted(), lease = neverAborted()) => {
    const report = (await loadReports(db, [job.resultId ?? ''])).get(job.resultId ?? '')
    if (report === undefined) throw new Error('there is no such report')
    await reportOne(deps, { job, connection, client, report, lease }, signal)
  }
  return { lines, metrics, runClaimed, run: async (signal) => runClaimed(await claimOne(db, 'report'), signal) }
}
