// Reports to a Reten that the test writes: claimed from a real database, sent over real HTTP.

import type { HttpClient } from '../../src/http-client.ts'
import { createMetrics } from '../../src/metrics.ts'
import { reportOne } from '../../src/report/report-one.ts'
import type { ReportDeps } from '../../src/report/report-one.ts'
import { createRetenClient } from '../../src/reten/reten-client.ts'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import type { ReadyReport } from '../../src/report/tell-reten.ts'
import type { ConnectionSettings, RetenResultTypes } from '../../src/schema-types.ts'
import type { Db } from '../../src/store/database.ts'
import { loadReports } from '../../src/store/load-reports.ts'
import { systemClock } from '../../src/time.ts'
import { buildConnection, createListeningLogger, neverAborted } from '../deliver/delivery-fixture.ts'
import type { LogLine } from '../deliver/delivery-fixture.ts'
import { claimOne } from '../support/ledger.ts'
import { sendJson } from '../support/local-server.ts'
import type { Answerer, LocalServer } from '../support/local-server.ts'

export const RETEN_KEY = 'rtn_sk_0123456789abcdef'
export const RESULTS_PATH = '/api/integration/activity-results/tasks'

export interface ReportBench {
  readonly lines: LogLine[]
  readonly metrics: ReturnType<typeof createMetrics>
  /** Claims the one report that is due and runs it to its end. */
  run(signal?: AbortSignal): Promise<void>
  runClaimed(job: ClaimedJob, signal?: AbortSignal, lease?: AbortSignal): Promise<void>
}

export interface BenchOptions {
  readonly timeoutMs?: number
  readonly apiKey?: string
  readonly settings?: ConnectionSettings
  /** The tenant's result types; default: they cannot be read. */
  readonly types?: RetenResultTypes
}

const UNREADABLE = { kind: 'unavailable', code: 'http_503', message: 'later', isSent: false, exchange: {} } as const

/** Everything around one report to the Reten at `origin`. */
export function setUpReports(db: Db, http: HttpClient, origin: string, options: BenchOptions = {}): ReportBench {
  const { logger, lines } = createListeningLogger()
  const metrics = createMetrics({ withNodeMetrics: false })
  const client = createRetenClient({
    baseUrl: origin,
    apiKey: options.apiKey ?? RETEN_KEY,
    http,
    timeoutMs: options.timeoutMs,
  })
  const connection = buildConnection({ retry_delays: [20, 30], ...options.settings })
  const { types } = options
  const resultTypes: ReadyReport['resultTypes'] = {
    read: async () => (types === undefined ? UNREADABLE : { kind: 'ok', value: types, isStale: false }),
  }
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
    await reportOne(deps, { job, connection, client, resultTypes, report, lease }, signal)
  }
  return { lines, metrics, runClaimed, run: async (signal) => runClaimed(await claimOne(db, 'report'), signal) }
}

/** A Reten whose list shows these rows, and that answers results as `submit` says; `submit` is numbered by results alone. */
export function answerAs(rows: () => readonly object[], submit: Answerer): Answerer {
  let results = 0
  return (response, request, number) => {
    if (request.method === 'GET' && request.path.startsWith(LIST_PATH)) {
      sendJson(response, 200, { data: rows(), meta: { page: 1, totalPages: 1 } })
    } else if (request.method === 'POST') submit(response, request, (results += 1))
    else sendJson(response, 503, { statusCode: 503, message: `request ${number} is not expected` })
  }
}

/** The results that Reten was told, in order. */
export function toldResults(
  reten: LocalServer,
): { readonly hard_override?: boolean; readonly task_result: { readonly result: string } }[] {
  return reten.received
    .filter(({ method }) => method === 'POST')
    .map(({ body }) => JSON.parse(body) as { task_result: { result: string } }) // written by us
}

const LIST_PATH = '/api/integration/activities/tasks'
