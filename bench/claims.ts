// Claims beside a transaction that somebody forgot to end: deleted jobs stay in the indexes, more each second. Two workers claim
// and end jobs as fast as they can, with and without horizons, and it is told what every claim took. Fails where claims with
// horizons are more than a quarter slower in the last third than in the first.
//
//   npm run bench:claims -- [seconds of each part, default 60]
import { sql } from 'kysely'
import pg from 'pg'
import { createSilentLogger } from '../src/logger.ts'
import { claimJobs } from '../src/store/claim-jobs.ts'
import { openDatabase } from '../src/store/database.ts'
import type { Db } from '../src/store/database.ts'
import { createDueSearch } from '../src/store/due-search.ts'
import { findDueConnections } from '../src/store/find-due-connections.ts'
import type { DueConnection } from '../src/store/find-due-connections.ts'
import { migrate } from '../src/store/migrate.ts'
import { startDatabaseServer } from './database-server.ts'
import type { DatabaseServer } from './database-server.ts'
import { quantile } from './statistics.ts'

const CONNECTIONS = ['first', 'second', 'third']
const WORKERS = ['worker-a', 'worker-b']
// As many as a busy connection has in flight; claims of a few jobs would spend their time in round trips.
const IN_FLIGHT = 100
const BACKLOG = 5_000
const LEASE_SECONDS = 15
const WORST_RATIO = 1.25

interface Third {
  readonly jobsPerSecond: number
  readonly claimP50Ms: number
  readonly claimP99Ms: number
}

type Find = () => Promise<readonly DueConnection[]>

const seconds = Number(process.argv[2] ?? 60)
if (!(seconds > 0)) {
  console.error('npm run bench:claims -- [seconds of each part, default 60]')
  process.exit(process.argv[2] === '--help' ? 0 : 1)
}
const server = await startDatabaseServer()
try {
  console.log(`${seconds} s each, beside an open transaction; by thirds`)
  const without = await measure(server, (db) => () => findFromTheBeginning(db))
  print('without horizons', without)
  const withHorizons = await measure(server, (db) => {
    const search = createDueSearch(db, { kind: 'deliver', leaseSeconds: LEASE_SECONDS })
    return () => search.find()
  })
  print('with horizons', withHorizons)
  if (!holds(withHorizons)) process.exitCode = 1
} finally {
  await server.stop()
}

async function findFromTheBeginning(db: Db): Promise<readonly DueConnection[]> {
  return findDueConnections(db, { kind: 'deliver', leaseSeconds: LEASE_SECONDS, known: new Map() })
}

async function measure(server: DatabaseServer, createFind: (db: Db) => Find): Promise<readonly Third[]> {
  // What walks cost, and not what the disk takes to flush.
  const url = `${await server.create('claims')}?options=-c%20synchronous_commit%3Doff`
  const { db, close } = openDatabase({ url, poolSize: 4, logger: createSilentLogger() })
  const pin = new pg.Client({ connectionString: url })
  try {
    await migrate(db)
    for (const name of CONNECTIONS) {
      await db.insertInto('connections').values({ name, provider: 'mock', state_reason: null }).execute()
      await addJobs(db, name, BACKLOG / CONNECTIONS.length)
    }
    await pin.connect()
    await pin.query('begin isolation level repeatable read')
    await pin.query('select count(*) from jobs')
    const thirds: Third[] = []
    const finds = WORKERS.map(() => createFind(db))
    for (let third = 0; third < 3; third += 1) thirds.push(await runThird(db, finds))
    return thirds
  } finally {
    await pin.end()
    await close()
    await server.drop('claims')
  }
}

async function runThird(db: Db, finds: readonly Find[]): Promise<Third> {
  const startedMs = performance.now()
  const untilMs = startedMs + (seconds * 1_000) / 3
  const tookMs: number[] = []
  let ended = 0
  await Promise.all(
    finds.map(async (find, number) => {
      while (performance.now() < untilMs) {
        const claimedMs = performance.now()
        const shares = (await find()).map((due) => ({ ...due, maxInFlight: IN_FLIGHT }))
        const worker = WORKERS[number] ?? ''
        const jobs = await claimJobs(db, { kind: 'deliver', worker, leaseSeconds: LEASE_SECONDS, shares })
        // The other one holds the connections, or all slots.
        if (jobs.length === 0) continue
        tookMs.push(performance.now() - claimedMs)
        await replaceJobs(db, jobs)
        ended += jobs.length
      }
    }),
  )
  return {
    jobsPerSecond: (ended / (performance.now() - startedMs)) * 1_000,
    claimP50Ms: quantile(tookMs, 0.5),
    claimP99Ms: quantile(tookMs, 0.99),
  }
}

async function addJobs(db: Db, connection: string, count: number): Promise<void> {
  await sql`
    insert into jobs (kind, connection, dispatch_id, commerce_id, seq)
    select 'deliver', ${connection}, gen_random_uuid(), 'C-' || (random() * 10000)::int, nextval('dispatches_seq')
    from generate_series(1, ${Math.round(count)}::int)`.execute(db)
}

/** Ends jobs and adds as many, so that the backlog stays as it is. */
async function replaceJobs(db: Db, jobs: readonly { readonly id: number }[]): Promise<void> {
  await sql`
    with ended as (delete from jobs where id = any(${sql.val(jobs.map((job) => job.id))}::bigint[]) returning connection, commerce_id)
    insert into jobs (kind, connection, dispatch_id, commerce_id, seq)
    select 'deliver', connection, gen_random_uuid(), commerce_id, nextval('dispatches_seq') from ended`.execute(db)
}

function holds(thirds: readonly Third[]): boolean {
  const [first, , last] = thirds
  if (first === undefined || last === undefined) return false
  return last.jobsPerSecond * WORST_RATIO >= first.jobsPerSecond && last.claimP99Ms <= first.claimP99Ms * WORST_RATIO
}

function print(name: string, thirds: readonly Third[]): void {
  const rates = thirds.map((third) => third.jobsPerSecond.toFixed(0)).join(', ')
  const middles = thirds.map((third) => third.claimP50Ms.toFixed(1)).join(', ')
  const slowest = thirds.map((third) => third.claimP99Ms.toFixed(1)).join(', ')
  console.log(`${name}: ${rates} jobs/s; a claim takes ${middles} ms, p99 ${slowest} ms`)
}
