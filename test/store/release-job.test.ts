import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import type { Db } from '../../src/store/database.ts'
import { releaseJob, releaseUnbegun } from '../../src/store/release-job.ts'
import { addConnection } from '../support/connections.ts'
import { addDue, claim, expireLeases, listJobs } from '../support/jobs.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

async function claimOne(t: Test): Promise<{ db: Db; job: ClaimedJob }> {
  const { db } = await openTestDatabase(t)
  await addConnection(db)
  await addDue(db, ['a'])
  const [job] = await claim(db)
  if (job === undefined) throw new Error('nothing was claimed')
  return { db, job }
}

/** Seconds until the one job is due. */
async function secondsUntilDue(db: Db): Promise<number> {
  const { rows } = await sql<{ seconds: number }>`
    select extract(epoch from due_at - now())::float8 as seconds from jobs`.execute(db)
  return rows[0]?.seconds ?? Number.NaN
}

void t.test('releaseJob', async (t) => {
  await t.test('gives a job back and charges nobody', async (t) => {
    const { db, job } = await claimOne(t)

    t.equal(await releaseJob(db, { ...job, delayMs: 0, isFateUnknown: false }), true)

    const [row] = await listJobs(db)
    t.match(row, { leased_until: null, claimed_by: null, attempts: 0, crashes: 0, is_fate_unknown: false })
    t.ok(row !== undefined && row.claim_no >= job.claimNo, 'a claim number only grows')
    t.equal((await claim(db)).length, 1)
  })

  await t.test('makes it due after the delay', async (t) => {
    const { db, job } = await claimOne(t)

    await releaseJob(db, { ...job, delayMs: 15_000, isFateUnknown: false })

    const seconds = await secondsUntilDue(db)
    t.ok(seconds > 10 && seconds <= 15)
  })

  await t.test('takes a delay of any length, such as what is left of a breaker’s', async (t) => {
    const { db, job } = await claimOne(t)

    t.equal(await releaseJob(db, { ...job, delayMs: 15_235.0048828125, isFateUnknown: false }), true)

    const seconds = await secondsUntilDue(db)
    t.ok(seconds > 10 && seconds <= 15.24)
    t.same(await claim(db), [])
  })

  await t.test('notes a fate that became unknown, and never clears one that was', async (t) => {
    const { db, job } = await claimOne(t)

    await releaseJob(db, { ...job, delayMs: 0, isFateUnknown: true })
    const [again] = await claim(db)
    t.match(again, { isFateUnknown: true })

    if (again !== undefined) await releaseJob(db, { ...again, delayMs: 0, isFateUnknown: false })
    t.match(await listJobs(db), [{ is_fate_unknown: true }])
  })

  await t.test('leaves a job alone that another worker owns by now', async (t) => {
    const { db, job } = await claimOne(t)
    await sql`update jobs set leased_until = null, claimed_by = null`.execute(db)
    await claim(db, { worker: 'other' })

    t.equal(await releaseJob(db, { ...job, delayMs: 0, isFateUnknown: true }), false)

    t.match(await listJobs(db), [{ claimed_by: 'other', is_fate_unknown: false }])
  })

  await t.test('says no for a job that is gone', async (t) => {
    const { db, job } = await claimOne(t)
    await db.deleteFrom('jobs').execute()

    t.equal(await releaseJob(db, { ...job, delayMs: 0, isFateUnknown: false }), false)
  })

  await t.test('makes a body that changed meanwhile due at once, with nothing unknown about it', async (t) => {
    const { db, job } = await claimOne(t)
    await sql`update jobs set revision = revision + 1`.execute(db)

    await releaseJob(db, { ...job, delayMs: 60_000, isFateUnknown: true })

    t.ok((await secondsUntilDue(db)) <= 0)
    t.match(await listJobs(db), [{ is_fate_unknown: false }])
  })

  await t.test('may come after the lease has expired, as long as nobody has it', async (t) => {
    const { db, job } = await claimOne(t)
    await expireLeases(db)

    t.equal(await releaseJob(db, { ...job, delayMs: 0, isFateUnknown: false }), true)
  })
})

void t.test('releaseUnbegun', async (t) => {
  await t.test('gives back what it can, and does not mind the rest', async (t) => {
    const { db, job } = await claimOne(t)

    await releaseUnbegun(db, [{ ...job, id: 999 }, job])

    t.match(await listJobs(db), [{ leased_until: null, is_fate_unknown: false }])
  })
})
