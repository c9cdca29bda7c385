import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import type { Db } from '../../src/store/database.ts'
import { createDueSearch, SWEEP_EVERY_MS } from '../../src/store/due-search.ts'
import type { DueSearch } from '../../src/store/due-search.ts'
import { HORIZON_MARGIN_SECONDS } from '../../src/store/find-due-connections.ts'
import { addConnection } from '../support/connections.ts'
import { addDue, claim, listJobs } from '../support/jobs.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

interface Fixture {
  readonly db: Db
  readonly other: Db
  readonly search: DueSearch
  /** Lets the search's clock go on. */
  pass(ms: number): void
}

async function createFixture(t: Test, stepMs = 0): Promise<Fixture> {
  const { db, url } = await openTestDatabase(t)
  const { db: other } = await openTestDatabase(t, url)
  await addConnection(db)
  let ms = 0
  // Each look at the clock may take its time.
  const nowMs = (): number => (ms += stepMs)
  const search = createDueSearch(db, { kind: 'deliver', leaseSeconds: 60, nowMs })
  return { db, other, search, pass: (by) => (ms += by) }
}

/** Claims from where the search says, as a worker does. */
async function claimFound(db: Db, search: DueSearch, maxInFlight = 100) {
  const [due] = await search.find()
  return due === undefined ? [] : claim(db, { shares: [{ ...due, maxInFlight }] })
}

async function finish(db: Db, jobs: readonly { readonly id: number }[]): Promise<void> {
  for (const { id } of jobs) await db.deleteFrom('jobs').where('id', '=', id).execute()
}

/** As the transaction that stored it had begun so long ago. */
async function backDate(db: Db, dispatchId: string, seconds: number): Promise<void> {
  await sql`update jobs set due_at = now() - make_interval(secs => ${seconds}) where dispatch_id = ${dispatchId}`.execute(
    db,
  )
}

/** Jobs that were due, claimed and done long ago. */
async function addDone(db: Db, count: number): Promise<void> {
  await sql`
    insert into jobs (kind, connection, dispatch_id, commerce_id, seq, due_at)
    select 'deliver', 'acme', gen_random_uuid(), 'C-1', 0, now() - interval '1 hour' from generate_series(1, ${count}::int)`.execute(
    db,
  )
  await sql`update jobs set leased_until = now() - interval '1 hour', claimed_by = 'w'`.execute(db)
  await sql`delete from jobs`.execute(db)
}

/** Entries of the indexes that were read so far, by this session and by those that told. */
async function entriesRead(db: Db): Promise<{ jobs_due: number; jobs_leased: number }> {
  await sql`select pg_stat_force_next_flush()`.execute(db)
  const { rows } = await sql<{ name: string; entries: number }>`
    select indexrelname as name, idx_tup_read as entries from pg_stat_user_indexes where relname = 'jobs'`.execute(db)
  const of = (name: string): number => rows.find((row) => row.name === name)?.entries ?? 0
  return { jobs_due: of('jobs_due'), jobs_leased: of('jobs_leased') }
}

const names = async (search: DueSearch): Promise<string[]> =>
  (await search.find()).map((due) => due.connection).toSorted((a, b) => (a < b ? -1 : 1))

void t.test('createDueSearch', async (t) => {
  await t.test('finds a job that commits behind what was done, a second later at the most', async (t) => {
    const { db, other, search, pass } = await createFixture(t)
    await addDue(db, ['early'])
    await finish(db, await claimFound(db, search))
    t.same(await search.find(), [], 'the horizon lies behind all that is visible')

    await other.transaction().execute(async (tx) => {
      const [late] = await addDue(tx, ['late'])
      await backDate(tx, String(late), 10)
      t.same(await search.find(), [], 'not committed yet')
    })

    t.same(await search.find(), [], 'behind the horizon')
    pass(SWEEP_EVERY_MS)
    t.match(await claimFound(db, search), [{ attempts: 0 }])
  })

  await t.test('finds at once what commits a moment late, and hands it out first', async (t) => {
    const { db, search } = await createFixture(t)
    const [first, late] = await addDue(db, ['first', 'late'])
    await sql`update jobs set parked_reason = 'not committed yet' where dispatch_id = ${late}`.execute(db)
    t.same(await names(search), ['acme'])

    const seconds = HORIZON_MARGIN_SECONDS - 0.01
    await sql`
      update jobs set parked_reason = null, due_at = due_at - make_interval(secs => ${seconds})
      where dispatch_id = ${late}`.execute(db)

    t.match(await claimFound(db, search, 1), [{ dispatchId: late }])
    t.match(await claimFound(db, search, 2), [{ dispatchId: first }])
  })

  await t.test('finds connections it does not know, before, between and behind those it knows', async (t) => {
    const { db, search } = await createFixture(t)
    await addDue(db, ['a'], 'c')
    await addDue(db, ['a'], 'e')
    t.same(await names(search), ['c', 'e'])

    for (const connection of ['a', 'b', 'd', 'f', 'g']) await addDue(db, ['a'], connection)

    t.same(await names(search), ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
    t.same(await names(search), ['a', 'b', 'c', 'd', 'e', 'f', 'g'], 'each of them once')
  })

  await t.test('finds the longest name there may be', async (t) => {
    const { db, search } = await createFixture(t)
    const longest = 'z'.repeat(63)
    await addDue(db, ['a'], longest)

    t.same(await names(search), [longest])
    t.same(await names(search), [longest])
  })

  await t.test('finds nothing that is leased, parked or due later', async (t) => {
    const { db, search } = await createFixture(t)
    const [, parked, later] = await addDue(db, ['leased', 'parked', 'later'])
    await sql`update jobs set parked_reason = 'timeout' where dispatch_id = ${parked}`.execute(db)
    await sql`update jobs set due_at = now() + interval '1 minute' where dispatch_id = ${later}`.execute(db)
    await claim(db)

    t.same(await search.find(), [])
    t.same(await search.find(), [])
  })

  await t.test('finds what was to be tried later once its time has come', async (t) => {
    const { db, search } = await createFixture(t)
    await addDue(db, ['a'])
    const [job] = await claimFound(db, search)
    await search.find()

    await sql`update jobs set leased_until = null, claimed_by = null, due_at = now()`.execute(db)

    t.match(await claimFound(db, search), [{ id: job?.id, claimNo: 2 }])
  })

  await t.test('looks on after a sweep that could not be made', async (t) => {
    const { db, search, pass } = await createFixture(t)
    await addDue(db, ['a'])
    await finish(db, await claimFound(db, search))
    await sql`alter table jobs rename to hidden`.execute(db)
    pass(SWEEP_EVERY_MS)
    await t.rejects(search.find(), { code: '42P01' })
    await sql`alter table hidden rename to jobs`.execute(db)

    await addDue(db, ['b'])

    t.same(await names(search), ['acme'])
  })

  await t.test('sweeps more seldom where a sweep takes long', async (t) => {
    // The clock goes on by 100 ms whenever it is looked at.
    const { db, search, pass } = await createFixture(t, 100)
    await addDue(db, ['a'])
    await finish(db, await claimFound(db, search))
    await search.find()
    const [late] = await addDue(db, ['late'])
    await backDate(db, String(late), 10)

    pass(SWEEP_EVERY_MS)
    t.same(await search.find(), [])
    pass(SWEEP_EVERY_MS * 5)
    t.same(await names(search), ['acme'])
  })

  await t.test('walks past deleted jobs once, where a transaction keeps them in the indexes', async (t) => {
    const { url } = await openTestDatabase(t)
    const { db } = await openTestDatabase(t, url, { poolSize: 1 }) // one session: it tells all it has read
    const { db: other } = await openTestDatabase(t, url)
    await addConnection(db)
    const search = createDueSearch(db, { kind: 'deliver', leaseSeconds: 60, nowMs: () => 0 })
    await other
      .transaction()
      .setIsolationLevel('repeatable read')
      .execute(async (tx) => {
        await sql`select from jobs`.execute(tx)
        await addDone(db, 3_000)
        await addDue(db, ['a'])
        await search.find()

        const before = await entriesRead(db)
        await search.find() // leases are counted from the beginning once
        const known = await entriesRead(db)
        t.ok(known.jobs_due - before.jobs_due < 100)
        t.equal((await claimFound(db, search)).length, 1)
        const claimed = await entriesRead(db)
        t.ok(claimed.jobs_due - known.jobs_due < 100)
        t.ok(claimed.jobs_leased - known.jobs_leased < 100)

        await claim(db)
        const walked = await entriesRead(db)
        t.ok(walked.jobs_due - claimed.jobs_due >= 3_000, 'without a horizon')
        t.ok(walked.jobs_leased - claimed.jobs_leased >= 3_000, 'without a horizon')
      })
  })

  await t.test('lets claims count every lease, however they race', async (t) => {
    const { db, other, search } = await createFixture(t)
    const second = createDueSearch(other, { kind: 'deliver', leaseSeconds: 60 })
    await addDue(
      db,
      Array.from({ length: 60 }, (_, number) => `a-${number}`),
    )
    const claimed: number[] = []

    for (let round = 0; claimed.length < 60 && round < 200; round += 1) {
      const taken = (await Promise.all([claimFound(db, search, 5), claimFound(other, second, 5)])).flat()
      const leased = (await listJobs(db)).filter((job) => job.leased_until !== null)
      t.ok(leased.length <= 5, 'within the slots')
      claimed.push(...taken.map((job) => job.id))
      // All but one end, so that each round begins with a lease that is older than the others.
      await finish(db, leased.slice(1))
      if (round % 3 === 0) await finish(db, leased)
    }

    t.equal(new Set(claimed).size, 60)
  })
})
