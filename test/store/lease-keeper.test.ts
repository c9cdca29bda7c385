import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import { createLeaseKeeper, LEASE_SECONDS } from '../../src/store/lease-keeper.ts'
import type { LeaseKeeper } from '../../src/store/lease-keeper.ts'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import { rescueJobs } from '../../src/store/rescue-jobs.ts'
import { createListeningLogger } from '../deliver/delivery-fixture.ts'
import { openBreakableWay } from '../support/breakable-way.ts'
import { claimOne, expireLeases, openLedger, readStory, secondsUntil, storeDispatch, until } from '../support/ledger.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

const { db, url } = await openLedger(t)

const WORKER = 'worker-a'

/** A keeper with a calendar of the test's own, which holds one claim. */
async function setUp(on = db) {
  const { logger, lines } = createListeningLogger()
  const calendar = { aheadMs: 0 }
  const keeper = createLeaseKeeper({ db: on, worker: WORKER, logger, now: () => Date.now() + calendar.aheadMs })
  const id = await storeDispatch(db)
  const job = await claimOne(db, 'deliver', { worker: WORKER })
  keeper.hold([job])
  return { keeper, id, job, lines, calendar, lease: keeper.signalOf(job) }
}

function start(t: Test, keeper: LeaseKeeper, job: ClaimedJob): void {
  void keeper.start()
  t.teardown(async () => {
    keeper.drop([job])
    await keeper.stop()
  })
}

/** A keeper whose database was away for so long that it has given up its claim; the database is back. */
async function loseLease(t: Test) {
  const way = await openBreakableWay(t, url)
  const { db: far } = await openTestDatabase(t, way.url, { poolSize: 1 })
  const bench = await setUp(far)
  way.close()
  start(t, bench.keeper, bench.job)
  await until(() => bench.keeper.fault() !== undefined)
  t.notOk(bench.lease.aborted, 'there is time left')
  bench.calendar.aheadMs = (LEASE_SECONDS - 2) * 1_000
  await until(() => bench.lease.aborted)
  t.match(bench.keeper.fault(), /leases cannot be renewed/)
  way.restore()
  return bench
}

t.test('createLeaseKeeper', async (t) => {
  t.test('renews what it holds, by itself, and nothing that was dropped', async (t) => {
    const { keeper, id, job, lease } = await setUp()
    await sql`update jobs set leased_until = now() + interval '1 second'`.execute(db)

    start(t, keeper, job)

    const leftSeconds = async () => {
      const until = (await readStory(db, id)).job?.leased_until
      return until ? secondsUntil(db, until) : 0
    }
    await until(async () => (await leftSeconds()) > LEASE_SECONDS - 5)
    t.notOk(lease.aborted)

    keeper.drop([job])
    await sql`update jobs set leased_until = now() + interval '1 second'`.execute(db)
    await keeper.renewOnce()
    t.ok((await leftSeconds()) <= 1)
  })

  t.test('says at once that another worker has the job, and takes the crash back', async (t) => {
    const { keeper, id, job, lease, lines } = await setUp()
    await expireLeases(db)
    await rescueJobs(db)
    await claimOne(db, 'deliver', { worker: 'worker-b' })
    t.match((await readStory(db, id)).job, { crashes: 1 })

    await keeper.renewOnce()

    t.ok(lease.aborted)
    t.match(lines, [{ event: 'lease.lost', dispatchId: id, claimNo: job.claimNo }])
    t.match((await readStory(db, id)).job, { crashes: 0, claimed_by: 'worker-b' })
  })

  t.test('gives a claim up before its lease ends, where the database cannot be reached', async (t) => {
    const { id, lines } = await loseLease(t)

    t.ok(lines.some((line) => line['event'] === 'lease.lost' && line['dispatchId'] === id))
    t.match(await rescueJobs(db), { rescued: 0, poisoned: [] }, 'nobody else may have it yet')
  })

  t.test('keeps what it gave up for the run that ends, and has nobody counted as crashed', async (t) => {
    const { keeper, id } = await loseLease(t)
    await expireLeases(db)

    await keeper.renewOnce()

    t.match(await rescueJobs(db), { rescued: 0, poisoned: [] })
    t.match((await readStory(db, id)).job, { claimed_by: WORKER, crashes: 0 })
  })

  t.test('takes back a crash that is counted only after the run has ended', async (t) => {
    const { keeper, id, job } = await loseLease(t)
    keeper.drop([job])
    await keeper.renewOnce()
    await expireLeases(db)
    await rescueJobs(db)

    await keeper.renewOnce()

    t.match((await readStory(db, id)).job, { crashes: 0, is_fate_unknown: true })
  })

  t.test('after a sleep keeps what nobody has taken meanwhile', async (t) => {
    const { keeper, job, lease, calendar, lines } = await setUp()
    start(t, keeper, job)

    // Nothing runs in between: the next watch finds that a minute has passed.
    calendar.aheadMs = 60_000
    await sql`update jobs set leased_until = now() - interval '45 seconds'`.execute(db)

    await until(async () => {
      const { rows } = await sql`select from jobs where leased_until > now()`.execute(db)
      return rows.length > 0
    })
    t.notOk(lease.aborted)
    t.same(lines, [])
  })

  t.test('lets go of what goes on for ever: its job must not wait for it', async (t) => {
    const { keeper, job, lease, calendar } = await setUp()
    start(t, keeper, job)
    calendar.aheadMs = 10 * 60_000

    await until(() => lease.aborted)
    await expireLeases(db)
    await keeper.renewOnce()

    t.match(await rescueJobs(db), { rescued: 1 })
  })

  t.test('stops once nothing is held any more', async (t) => {
    const { keeper, job } = await setUp()
    void keeper.start()
    let hasStopped = false

    const stopped = keeper.stop().then(() => (hasStopped = true))
    await new Promise((resolve) => setImmediate(resolve))
    t.notOk(hasStopped)
    keeper.drop([job])

    await t.resolves(stopped)
  })

  t.test('has nothing to give for a claim that it does not hold', async (t) => {
    const { keeper, job } = await setUp()
    keeper.drop([{ ...job, claimNo: job.claimNo - 1 }])
    t.notOk(keeper.signalOf(job).aborted)

    t.ok(keeper.signalOf({ ...job, claimNo: job.claimNo + 1 }).aborted)
    keeper.drop([job])
    t.ok(keeper.signalOf(job).aborted)
  })
})
