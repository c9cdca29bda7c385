// Claims cancellations that a provider has to be asked for, and asks.
import { createJobLoop } from '../job-loop.ts'
import type { JobLoop } from '../job-loop.ts'
import { claimJobs } from '../store/claim-jobs.ts'
import type { ClaimedJob, ClaimShare } from '../store/claim-jobs.ts'
import type { ConnectionCatalog } from '../store/connection-catalog.ts'
import { createDueSearch } from '../store/due-search.ts'
import type { DueSearch } from '../store/due-search.ts'
import { LEASE_SECONDS } from '../store/lease-keeper.ts'
import type { LeaseKeeper } from '../store/lease-keeper.ts'
import { loadCancellations } from '../store/load-cancellations.ts'
import { releaseUnbegun } from '../store/release-job.ts'
import type { AdapterPool } from './adapter-pool.ts'
import { cancelOne } from './cancel-one.ts'
import type { CancelDeps, ReadyCancel } from './cancel-one.ts'

export interface CancelWorkerDeps extends CancelDeps {
  readonly catalog: ConnectionCatalog
  readonly adapters: AdapterPool
  readonly leases: Pick<LeaseKeeper, 'hold' | 'signalOf' | 'drop'>
}

// Beside a connection's deliveries: cancellations are few, and must not wait behind a backlog that they may concern.
const MAX_CANCELS_IN_FLIGHT = 1

/** Builds the worker; see JobLoop for how it runs. */
export function createCancelWorker(deps: CancelWorkerDeps): JobLoop {
  const search = createDueSearch(deps.db, { kind: 'cancel', leaseSeconds: LEASE_SECONDS })
  return createJobLoop<ReadyCancel>({
    name: 'cancel',
    logger: deps.logger,
    claim: () => claimCancels(deps, search),
    run: (ready, signal) => cancelOne(deps, ready, signal).finally(() => deps.leases.drop([ready.job])),
  })
}

async function claimCancels(deps: CancelWorkerDeps, search: DueSearch): Promise<readonly ReadyCancel[]> {
  const jobs = await claimJobs(deps.db, {
    kind: 'cancel',
    shares: await claimableShares(deps, search),
    worker: deps.worker,
    leaseSeconds: LEASE_SECONDS,
  })
  if (jobs.length === 0) return []
  deps.leases.hold(jobs)
  try {
    return await makeReady(deps, jobs)
  } catch (error) {
    // Claimed and not begun: left as they are they would count as crashes of ours.
    await giveBackUnbegun(deps, jobs)
    throw error
  }
}

async function makeReady(deps: CancelWorkerDeps, jobs: readonly ClaimedJob[]): Promise<readonly ReadyCancel[]> {
  const cancellables = await loadCancellations(
    deps.db,
    jobs.map((job) => job.dispatchId),
  )
  const ready: ReadyCancel[] = []
  const unready: ClaimedJob[] = []
  for (const job of jobs) {
    const connection = deps.catalog.get(job.connection)
    const adapter = connection === undefined ? undefined : await deps.adapters.getSoon(connection)
    if (connection !== undefined && adapter !== undefined) {
      const cancellable = cancellables.get(job.dispatchId)
      ready.push({ job, connection, adapter, cancellable, lease: deps.leases.signalOf(job) })
    } else unready.push(job)
  }
  // The connection changed between planning and claiming; the next claim sees it as it is now.
  await giveBackUnbegun(deps, unready)
  return ready
}

async function giveBackUnbegun(deps: CancelWorkerDeps, jobs: readonly ClaimedJob[]): Promise<void> {
  await releaseUnbegun(deps.db, jobs)
  deps.leases.drop(jobs)
}

/** Connections with something to cancel that are active here and have an adapter. */
async function claimableShares(deps: CancelWorkerDeps, search: DueSearch): Promise<readonly ClaimShare[]> {
  const shares: ClaimShare[] = []
  for (const due of await search.find()) {
    const connection = deps.catalog.get(due.connection)
    if (connection === undefined || connection.state !== 'active' || connection.fault !== undefined) continue
    if ((await deps.adapters.getSoon(connection)) === undefined) continue
    shares.push({ ...due, maxInFlight: MAX_CANCELS_IN_FLIGHT })
  }
  return shares
}
