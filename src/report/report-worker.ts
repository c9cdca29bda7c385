// Claims due reports for every connection that has a key for Reten, and runs them.
import { nextRoomMs, roomFor } from '../guards.ts'
import type { Guards } from '../guards.ts'
import { createJobLoop } from '../job-loop.ts'
import type { JobLoop } from '../job-loop.ts'
import type { RetenAnswer } from '../reten/reten-answer.ts'
import type { ResultAccepted } from '../schema-types.ts'
import { claimJobs } from '../store/claim-jobs.ts'
import type { ClaimedJob, ClaimShare } from '../store/claim-jobs.ts'
import type { ConnectionCatalog } from '../store/connection-catalog.ts'
import { createDueSearch } from '../store/due-search.ts'
import type { DueSearch } from '../store/due-search.ts'
import { LEASE_SECONDS } from '../store/lease-keeper.ts'
import type { LeaseKeeper } from '../store/lease-keeper.ts'
import { loadReports } from '../store/load-reports.ts'
import { releaseUnbegun } from '../store/release-job.ts'
import { settleOvertaken } from '../store/settle-report.ts'
import { reportOne } from './report-one.ts'
import type { ReportDeps } from './report-one.ts'
import type { RetenClients } from './reten-clients.ts'
import type { ReadyReport } from './tell-reten.ts'

export interface ReportWorkerDeps extends ReportDeps {
  readonly catalog: ConnectionCatalog
  readonly retenClients: RetenClients
  readonly leases: Pick<LeaseKeeper, 'hold' | 'signalOf' | 'drop'>
  readonly guards: Guards<RetenAnswer<ResultAccepted>>
}

// Reten publishes no limit for its results endpoint; this is what a modest client may have open at once.
const MAX_REPORTS_IN_FLIGHT = 8

/** Builds the worker; see JobLoop for how it runs. */
export function createReportWorker(deps: ReportWorkerDeps): JobLoop {
  const search = createDueSearch(deps.db, { kind: 'report', leaseSeconds: LEASE_SECONDS })
  return createJobLoop<ReadyReport>({
    name: 'report',
    logger: deps.logger,
    claim: () => claimReports(deps, search),
    wakeInMs: () => nextRoomMs(deps.guards),
    run: (ready, signal) =>
      reportOne(deps, { ...ready, client: guardClient(deps, ready, signal) }, signal).finally(() =>
        deps.leases.drop([ready.job]),
      ),
  })
}

/** Counts each answer. What our own end cuts short is nobody's fault; what a lost claim does, Reten's client says itself. */
function guardClient(
  { guards }: ReportWorkerDeps,
  { connection, client }: ReadyReport,
  signal: AbortSignal,
): ReadyReport['client'] {
  return {
    listTasks: (query, callSignal) => client.listTasks(query, callSignal),
    submitResult: (submission, callSignal) =>
      guards.breakers.run(connection, () => client.submitResult(submission, callSignal), signal),
  }
}

async function claimReports(deps: ReportWorkerDeps, search: DueSearch): Promise<readonly ReadyReport[]> {
  const jobs = await claimJobs(deps.db, {
    kind: 'report',
    shares: await claimableShares(deps, search),
    worker: deps.worker,
    leaseSeconds: LEASE_SECONDS,
  })
  if (jobs.length === 0) return []
  deps.leases.hold(jobs)
  try {
    return await makeReady(deps, jobs)
  } catch (error) {
    // Claimed and not begun: left as they are they would count as crashes of ours, of unknown fate.
    await giveBackUnbegun(deps, jobs)
    throw error
  }
}

async function makeReady(deps: ReportWorkerDeps, jobs: readonly ClaimedJob[]): Promise<readonly ReadyReport[]> {
  const reports = await loadReports(
    deps.db,
    jobs.flatMap((job) => (job.resultId === null ? [] : [job.resultId])),
  )
  const ready: ReadyReport[] = []
  const unready: ClaimedJob[] = []
  for (const job of jobs) {
    const connection = deps.catalog.get(job.connection)
    const access = connection === undefined ? undefined : deps.retenClients.get(connection)
    const report = job.resultId === null ? undefined : reports.get(job.resultId)
    if (report?.isOvertaken === true) {
      await settleOvertaken(deps.db, job)
      deps.leases.drop([job])
    } else if (connection !== undefined && access !== undefined && report !== undefined) {
      const { client, resultTypes } = access
      ready.push({ job, connection, client, resultTypes, report, lease: deps.leases.signalOf(job) })
    } else unready.push(job)
  }
  // The connection changed between planning and claiming; the next claim sees it as it is now.
  await giveBackUnbegun(deps, unready)
  return ready
}

async function giveBackUnbegun(deps: ReportWorkerDeps, jobs: readonly ClaimedJob[]): Promise<void> {
  await releaseUnbegun(deps.db, jobs)
  deps.leases.drop(jobs)
}

/** Connections with a report due that can talk to Reten. A paused one delivers nothing but still reports: Reten waits for it. */
async function claimableShares(deps: ReportWorkerDeps, search: DueSearch): Promise<readonly ClaimShare[]> {
  const shares: ClaimShare[] = []
  for (const due of await search.find()) {
    const connection = deps.catalog.get(due.connection)
    if (connection === undefined || connection.fault !== undefined) continue
    if (connection.reporting.state !== 'active') continue
    const maxInFlight = connection.reporting.isOnTrial ? 1 : MAX_REPORTS_IN_FLIGHT
    const most = roomFor(deps.guards, connection, maxInFlight)
    if (most === 0 || deps.retenClients.get(connection) === undefined) continue
    shares.push({ ...due, maxInFlight, most })
  }
  return shares
}
