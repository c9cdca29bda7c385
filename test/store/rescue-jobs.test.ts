import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import type { Db } from '../../src/store/database.ts'
import { MAX_CRASHES, rescueJobs } from '../../src/store/rescue-jobs.ts'
import { addConnection } from '../support/connections.ts'
import { addDue, addReport, claim, expireLeases, listJobs } from '../support/jobs.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

async function createFixture(t: Test): Promise<{ db: Db; other: Db }> {
  const { db, url } = await openTestDatabase(t)
  const { db: other } = await openTestDatabase(t, url)
  await addConnection(db)
  return { db, other }
}

/** Lets the claim of every job end without a word, `times` times. */
async function crash(db: Db, times: number, kind: 'deliver' | 'report' = 'deliver'): Promise<void> {
  for (let time = 1; time <= times; time += 1) {
    await claim(db, { kind })
    await expireLeases(db)
    if (time < times) await rescueJobs(db)
  }
}

const dispatchOf = (db: Db) => db.selectFrom('dispatches').selectAll().executeTakeFirstOrThrow()

void t.test('rescueJobs', async (t) => {
  await t.test('makes a job due again whose lease expired, with its fate unknown', async (t) => {
    const { db } = await createFixture(t)
    await addDue(db, ['a'])
    await crash(db, 1)

    t.same(await rescueJobs(db), { rescued: 1, poisoned: [], notCanceled: [], unproven: [] })

    const [job] = await listJobs(db)
    t.match(job, { leased_until: null, claimed_by: null, crashes: 1, attempts: 0, is_fate_unknown: true, claim_no: 1 })
    t.match(await claim(db), [{ claimNo: 2, crashes: 1, isFateUnknown: true }])
  })

  await t.test('leaves leases that hold alone', async (t) => {
    const { db } = await createFixture(t)
    await addDue(db, ['a', 'b'])
    await claim(db, { maxInFlight: 1 })

    t.same(await rescueJobs(db), { rescued: 0, poisoned: [], notCanceled: [], unproven: [] })

    t.match(await listJobs(db), [{ claimed_by: 'w1' }, { claimed_by: null, crashes: 0 }])
  })

  await t.test('sets a dispatch aside that took three workers with it', async (t) => {
    const { db } = await createFixture(t)
    const [id] = await addDue(db, ['a'])
    await crash(db, MAX_CRASHES)

    t.same(await rescueJobs(db), { rescued: 0, poisoned: [id], notCanceled: [], unproven: [] })

    t.same(await listJobs(db), [])
    t.match(await dispatchOf(db), { state: 'failed', reason_code: 'crashed_worker', finished_at: Date })
  })

  await t.test('blames none of several that were in flight together, and has them come back one by one', async (t) => {
    const { db } = await createFixture(t)
    const ids = await addDue(db, ['a', 'b', 'c', 'd'])
    await crash(db, 2)
    await rescueJobs(db)
    t.equal((await claim(db, { worker: 'w2' })).length, 1, 'the others are due one by one behind it')
    await sql`update jobs set due_at = now()`.execute(db)
    t.equal((await claim(db, { worker: 'w2' })).length, 3)
    await expireLeases(db)

    t.match(await rescueJobs(db), { rescued: 4, poisoned: [] })

    const jobs = await listJobs(db)
    t.same(
      jobs.map((job) => job.dispatch_id),
      ids,
    )
    t.same(
      jobs
        .map((job) => job.due_at.getTime() - Math.min(...jobs.map((one) => one.due_at.getTime())))
        .toSorted((a, b) => a - b),
      [0, 2_000, 4_000, 6_000],
    )
  })

  await t.test('blames none whose neighbour was rescued a moment before', async (t) => {
    const { db } = await createFixture(t)
    await addDue(db, ['a', 'b'])
    await crash(db, 2)
    await rescueJobs(db)
    await sql`update jobs set due_at = now()`.execute(db)
    const [first] = await claim(db)
    await sql`update jobs set leased_until = now() - interval '1 second' where id = ${first?.id}`.execute(db)
    t.match(await rescueJobs(db), { rescued: 1, poisoned: [] })
    await expireLeases(db)

    t.match(await rescueJobs(db), { rescued: 1, poisoned: [] })
  })

  await t.test('sets the one aside that takes its worker with it when the others are done', async (t) => {
    const { db } = await createFixture(t)
    await addDue(db, ['a', 'b', 'c'])
    await crash(db, 2)
    await rescueJobs(db)
    const [poison] = await claim(db)
    await sql`delete from jobs where leased_until is null`.execute(db)
    await addDue(db, ['healthy'])
    await claim(db)
    await expireLeases(db)

    t.match(await rescueJobs(db), { rescued: 1, poisoned: [poison?.dispatchId] })
  })

  await t.test('ends the job of a dispatch that was delivered before, and leaves what is known of it', async (t) => {
    const { db } = await createFixture(t)
    const [id] = await addDue(db, ['a'])
    await sql`update dispatches set state = 'delivered', delivered_at = now()`.execute(db)
    await crash(db, MAX_CRASHES)

    t.same(await rescueJobs(db), { rescued: 0, poisoned: [id], notCanceled: [], unproven: [] })

    t.same(await listJobs(db), [])
    t.match(await dispatchOf(db), { state: 'delivered', reason_code: null, finished_at: null })
  })

  await t.test(
    'leaves a result unproven whose report took three workers with it, says so, and leaves the dispatch',
    async (t) => {
      const { db } = await createFixture(t)
      const [id] = await addDue(db, ['a'])
      await db.deleteFrom('jobs').execute()
      await addReport(db, String(id))
      await crash(db, MAX_CRASHES, 'report')

      t.same(await rescueJobs(db), {
        rescued: 0,
        poisoned: [],
        notCanceled: [],
        unproven: [{ dispatchId: id, connection: 'acme' }],
      })

      t.match(await db.selectFrom('results').selectAll().execute(), [
        { state: 'unproven', reason_code: 'crashed_worker', settled_at: Date, attention_at: Date },
      ])
      t.match(await dispatchOf(db), { state: 'received' })
    },
  )

  await t.test('rescues each job once where instances do it at once', async (t) => {
    const { db, other } = await createFixture(t)
    await addDue(
      db,
      Array.from({ length: 40 }, (_, number) => `a-${number}`),
    )
    await crash(db, 1)

    const rescues = await Promise.all([rescueJobs(db), rescueJobs(other), rescueJobs(db), rescueJobs(other)])

    t.equal(
      rescues.reduce((sum, rescue) => sum + rescue.rescued, 0),
      40,
    )
    t.ok((await listJobs(db)).every((job) => job.crashes === 1))
  })

  await t.test('passes over a job that is being settled, without waiting', async (t) => {
    const { db, other } = await createFixture(t)
    await addDue(db, ['settled', 'lost'])
    await crash(db, 1)
    const [settled] = await listJobs(db)

    await other.transaction().execute(async (tx) => {
      await sql`delete from jobs where id = ${settled?.id}`.execute(tx)

      t.same(await rescueJobs(db), { rescued: 1, poisoned: [], notCanceled: [], unproven: [] })
    })
    t.match(await listJobs(db), [{ crashes: 1 }])
  })

  await t.test('passes over a job whose dispatch somebody holds, and takes it when it is free', async (t) => {
    const { db, other } = await createFixture(t)
    const [id] = await addDue(db, ['a'])
    await crash(db, MAX_CRASHES)

    await other.transaction().execute(async (tx) => {
      await sql`update dispatches set repeats = repeats + 1`.execute(tx)

      t.same(
        await rescueJobs(db),
        { rescued: 0, poisoned: [], notCanceled: [], unproven: [] },
        'waiting for it could be waiting for each other',
      )
    })
    t.same(await rescueJobs(db), { rescued: 0, poisoned: [id], notCanceled: [], unproven: [] })
  })
})
