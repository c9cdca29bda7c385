// Claims due deliveries for every connection that can deliver, and runs them.
import { createJobLoop } from '../job-loop.ts'
import type { JobLoop } from '../job-loop.ts'
import { claimJobs } from '../store/claim-jobs.ts'
import type { ClaimShare } from '../store/claim-jobs.ts'
import type { ConnectionCatalog } from '../store/connection-catalog.ts'
import { findDueConnections } from '../store/find-due-connections.ts'
import { loadDeliveries } from '../store/load-deliveries.ts'
import { releaseJob } from '../store/release-job.ts'
import type { AdapterPool } from './adapter-pool.ts'
import { deliverOne } from './deliver-one.ts'
import type { DeliverDeps, ReadyDelivery } from './deliver-one.ts'

export interface DeliveryWorkerDeps extends DeliverDeps {
  readonly catalog: ConnectionCatalog
  readonly adapters: AdapterPool
}

/** How long a claim is ours: well above the longest deadline of an adapter (30 s), so that a slow answer is not a lost one. */
export const DELIVERY_LEASE_SECONDS = 60

/** Builds the worker; see JobLoop for how it runs. */
export function createDeliveryWorker(deps: DeliveryWorkerDeps): JobLoop {
  return createJobLoop<ReadyDelivery>({
    name: 'deliver',
    logger: deps.logger,
    claim: () => claimDeliveries(deps),
    run: (ready, signal) => deliverOne(deps, ready, signal),
  })
}

async function claimDeliveries(deps: DeliveryWorkerDeps): Promise<readonly ReadyDelivery[]> {
  const shares = await claimableShares(deps)
  const jobs = await claimJobs(deps.db, {
    kind: 'deliver',
    shares,
    worker: deps.worker,
    leaseSeconds: DELIVERY_LEASE_SECONDS,
  })
  if (jobs.length === 0) return []
  const deliveries = await loadDeliveries(
    deps.db,
    jobs.map((job) => job.dispatchId),
  )
  const ready: ReadyDelivery[] = []
  for (const job of jobs) {
    const connection = deps.catalog.get(job.connection)
    const adapter = connection === undefined ? undefined : await deps.adapters.get(connection)
    if (connection !== undefined && adapter !== undefined) {
      ready.push({ job, connection, adapter, delivery: deliveries.get(job.dispatchId) })
    } else {
      // The connection changed between planning and claiming; the next claim sees it as it is now.
      await releaseJob(deps.db, { id: job.id, claimNo: job.claimNo, delayMs: 1_000, isFateUnknown: false })
    }
  }
  return ready
}

/** Connections with something due that are active here and have an adapter. */
async function claimableShares(deps: DeliveryWorkerDeps): Promise<readonly ClaimShare[]> {
  const shares: ClaimShare[] = []
  for (const name of await findDueConnections(deps.db, 'deliver')) {
    const connection = deps.catalog.get(name)
    if (connection === undefined || connection.state !== 'active') continue
    if ((await deps.adapters.get(connection)) === undefined) continue
    shares.push({ connection: name, maxInFlight: connection.settings.maxInFlight })
  }
  return shares
}
