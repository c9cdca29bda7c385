// Claims due deliveries for every connection that can deliver, and runs them.
import type { Outcome } from '../dispatch/outcome.ts'
import { nextRoomMs, roomFor } from '../guards.ts'
import type { Guards } from '../guards.ts'
import { createJobLoop } from '../job-loop.ts'
import type { JobLoop } from '../job-loop.ts'
import { claimJobs } from '../store/claim-jobs.ts'
import type { ClaimedJob, ClaimShare } from '../store/claim-jobs.ts'
import type { ConnectionCatalog } from '../store/connection-catalog.ts'
import { createDueSearch } from '../store/due-search.ts'
import type { DueSearch } from '../store/due-search.ts'
import { LEASE_SECONDS } from '../store/lease-keeper.ts'
import type { LeaseKeeper } from '../store/lease-keeper.ts'
import { loadDeliveries } from '../store/load-deliveries.ts'
import { releaseUnbegun } from '../store/release-job.ts'
import type { AdapterPool } from './adapter-pool.ts'
import { deliverOne } from './deliver-one.ts'
import type { DeliverDeps, ReadyDelivery } from './deliver-one.ts'
import { createFreedCommerces } from './freed-commerces.ts'
import { guardAdapter } from './guarded-adapter.ts'

export interface DeliveryWorkerDeps extends DeliverDeps {
  readonly catalog: ConnectionCatalog
  readonly adapters: AdapterPool
  readonly leases: Pick<LeaseKeeper, 'hold' | 'signalOf' | 'drop'>
  readonly guards: Guards<Outcome>
}

// Several tokens at once are as good as one after another, and each look costs the database something.
const SHORTEST_TOKEN_WAIT_MS = 100

/** Builds the worker; see JobLoop for how it runs. */
export function createDeliveryWorker(deps: DeliveryWorkerDeps): JobLoop {
  const search = createDueSearch(deps.db, { kind: 'deliver', leaseSeconds: LEASE_SECONDS })
  const freed = createFreedCommerces()
  let shares: readonly ClaimShare[] = []
  return createJobLoop<ReadyDelivery>({
    name: 'deliver',
    logger: deps.logger,
    claim: async () => {
      shares = await claimableShares(deps, search, freed.take())
      return claimDeliveries(deps, shares)
    },
    wakeInMs: () => Math.min(nextRoomMs(deps.guards), nextTokenMs(shares)),
    run: (ready, signal) => {
      const cut = AbortSignal.any([signal, ready.lease])
      const adapter = guardAdapter(deps.guards, ready.connection, ready.adapter, cut)
      return deliverOne(deps, { ...ready, adapter }, signal).finally(() => {
        deps.leases.drop([ready.job])
        freed.add(ready)
      })
    },
  })
}

async function claimDeliveries(
  deps: DeliveryWorkerDeps,
  shares: readonly ClaimShare[],
): Promise<readonly ReadyDelivery[]> {
  const jobs = await claimJobs(deps.db, {
    kind: 'deliver',
    shares,
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

async function makeReady(deps: DeliveryWorkerDeps, jobs: readonly ClaimedJob[]): Promise<readonly ReadyDelivery[]> {
  const deliveries = await loadDeliveries(
    deps.db,
    jobs.map((job) => job.dispatchId),
  )
  const ready: ReadyDelivery[] = []
  const unready: ClaimedJob[] = []
  for (const job of jobs) {
    const connection = deps.catalog.get(job.connection)
    const adapter = connection === undefined ? undefined : await deps.adapters.getSoon(connection)
    if (connection !== undefined && adapter !== undefined) {
      const delivery = deliveries.get(job.dispatchId)
      ready.push({ job, connection, adapter, delivery, lease: deps.leases.signalOf(job) })
    } else unready.push(job)
  }
  // The connection changed between planning and claiming; the next claim sees it as it is now.
  await giveBackUnbegun(deps, unready)
  return ready
}

async function giveBackUnbegun(deps: DeliveryWorkerDeps, jobs: readonly ClaimedJob[]): Promise<void> {
  await releaseUnbegun(deps.db, jobs)
  deps.leases.drop(jobs)
}

/** Milliseconds until one of these may have a token again, Infinity where none has a rate. */
function nextTokenMs(shares: readonly ClaimShare[]): number {
  const waits = shares.map(({ ratePerSecond }) => (ratePerSecond === undefined ? Infinity : 1_000 / ratePerSecond))
  return Math.max(SHORTEST_TOKEN_WAIT_MS, Math.min(...waits))
}

/** Connections with something due that are active here, have an adapter, and whose provider can be called now. */
async function claimableShares(
  deps: DeliveryWorkerDeps,
  search: DueSearch,
  freed: ReadonlyMap<string, readonly string[]>,
): Promise<readonly ClaimShare[]> {
  const shares: ClaimShare[] = []
  for (const due of await search.find(new Set(freed.keys()))) {
    const connection = deps.catalog.get(due.connection)
    if (connection === undefined || connection.state !== 'active' || connection.fault !== undefined) continue
    const { ratePerSecond } = connection.settings
    const maxInFlight = connection.isOnTrial ? 1 : connection.settings.maxInFlight
    const most = roomFor(deps.guards, connection, maxInFlight)
    if (most === 0 || (await deps.adapters.getSoon(connection)) === undefined) continue
    const commerces = [...(freed.get(due.connection) ?? []), ...due.commerces]
    shares.push({ ...due, maxInFlight, most, ratePerSecond, commerces })
  }
  return shares
}
