import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import type { Db } from '../../src/store/database.ts'
import { releaseJob } from '../../src/store/release-job.ts'
import { renewLeases, takeBackCrashes } from '../../src/store/renew-leases.ts'
import { rescueJobs } from '../../src/store/rescue-jobs.ts'
import { settleDelivered, settleFailed } from '../../src/store/settle-delivery.ts'
import {
  buildAttempt,
  claimOne,
  expireLeases,
  makeAllDue,
  openLedger,
  readStory,
  secondsUntil,
  storeDispatch,
  tells,
} from '../support/ledger.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

const { db, url } = await openLedger(t)
const { db: other } = await openTestDatabase(t, url)

const A = 'worker-a'
const B = 'worker-b'

const renew = (on: Db, worker: string, claims: readonly ClaimedJob[]) =>
  renewLeases(on, { worker, leaseSeconds: 15, claims })

async function leaseOf(id: string): Promise<number> {
  const { job } = await readStory(db, id)
  return job?.leased_until ? secondsUntil(db, job.leased_until) : Number.NaN
}

/** A claims, its lease runs out, it is rescued, B claims. */
async function overtake(t: Test): Promise<{ id: string; stale: ClaimedJob; current: ClaimedJob }> {
  const id = await storeDispatch(db, `A-${t.name}`)
  const stale = await claimOne(db, 'deliver', { worker: A })
  await expireLeases(db)
  await rescueJobs(other)
  return { id, stale, current: await claimOne(other, 'deliver', { worker: B }) }
}

t.test('renewLeases', async (t) => {
  t.test('keeps what the worker holds for as long again, all in one go', async (t) => {
    const ids = [await storeDispatch(db, 'A-1'), await storeDispatch(db, 'A-2')]
    const claims = [
      await claimOne(db, 'deliver', { worker: A, maxInFlight: 1 }),
      await claimOne(db, 'deliver', { worker: A, maxInFlight: 2 }),
    ]
    await sql`update jobs set leased_until = now() + interval '1 second'`.execute(db)

    t.same(await renew(db, A, claims), new Set(claims.map((claim) => claim.id)))

    for (const id of ids) t.ok((await leaseOf(id)) > 10)
  })

  t.test('keeps what expired and nobody has taken since', async (t) => {
    const id = await storeDispatch(db)
    const claim = await claimOne(db, 'deliver', { worker: A })
    await expireLeases(db)

    t.same(await renew(db, A, [claim]), new Set([claim.id]))

    t.ok((await leaseOf(id)) > 10)
    t.match(await rescueJobs(db), { rescued: 0, poisoned: [] })
  })

  t.test('never renews what another worker has claimed since', async (t) => {
    const { id, stale } = await overtake(t)
    await sql`update jobs set leased_until = now() + interval '1 second'`.execute(db)

    t.same(await renew(db, A, [stale]), new Set())

    t.ok((await leaseOf(id)) <= 1)
  })

  t.test('never renews under another name, nor what was given back and claimed anew by the same worker', async (t) => {
    const id = await storeDispatch(db)
    const first = await claimOne(db, 'deliver', { worker: A })
    t.same(await renew(db, B, [first]), new Set())

    await releaseJob(db, { ...first, delayMs: 0, isFateUnknown: false })
    t.same(await renew(db, A, [first]), new Set())
    await claimOne(db, 'deliver', { worker: A })
    await sql`update jobs set leased_until = now() + interval '1 second'`.execute(db)
    t.same(await renew(db, A, [first]), new Set())

    t.ok((await leaseOf(id)) <= 1)
  })

  t.test('waits for nobody: what is being settled at this moment counts as held', async (t) => {
    await storeDispatch(db)
    const claim = await claimOne(db, 'deliver', { worker: A })

    await other.transaction().execute(async (tx) => {
      await sql`select from jobs for update`.execute(tx)
      t.same(await renew(db, A, [claim]), new Set([claim.id]))
    })
  })
})

t.test('a worker that was overtaken', async (t) => {
  t.test('settles nothing, neither while the other one is at it nor after it gave the job back', async (t) => {
    const { id, stale, current } = await overtake(t)

    t.equal(await settleDelivered(db, buildAttempt(stale), { providerTaskId: 'T', result: undefined }), 'stale')
    await releaseJob(other, { ...current, delayMs: 0, isFateUnknown: false })
    t.equal(await settleDelivered(db, buildAttempt(stale), { providerTaskId: 'T', result: undefined }), 'stale')
    t.equal(await settleFailed(db, buildAttempt(stale), 'refused'), 'stale')
    t.equal(await releaseJob(db, { ...stale, delayMs: 60_000, isFateUnknown: false }), false)

    tells(t, await readStory(db, id), {
      dispatch: { state: 'received' },
      job: { claimed_by: null, crashes: 1, is_fate_unknown: true },
      attempts: [],
    })
    t.equal((await claimOne(db)).dispatchId, id, 'due at once, as B left it')
  })
})

t.test('takeBackCrashes', async (t) => {
  t.test('takes back what was counted for the claim of a worker that lives, whoever has the job now', async (t) => {
    const { id, stale } = await overtake(t)
    t.match((await readStory(db, id)).job, { crashes: 1, crashed_claim_no: stale.claimNo })

    t.match(await takeBackCrashes(db, [stale]), [{ id: stale.id, claimNo: stale.claimNo }])
    await takeBackCrashes(db, [stale])

    t.match((await readStory(db, id)).job, { crashes: 0, claimed_by: B })
  })

  t.test('leaves the crashes of others', async (t) => {
    const { id, stale, current } = await overtake(t)
    await expireLeases(db)
    await rescueJobs(db)
    t.match((await readStory(db, id)).job, { crashes: 2, crashed_claim_no: current.claimNo })

    await takeBackCrashes(db, [stale])

    t.match((await readStory(db, id)).job, { crashes: 2 })
  })

  t.test('has more to say later about what may still be rescued, and nothing about what has ended', async (t) => {
    await storeDispatch(db)
    const claim = await claimOne(db, 'deliver', { worker: A })
    await expireLeases(db)

    t.same(await takeBackCrashes(db, [claim]), [])
    await db.deleteFrom('jobs').execute()
    t.match(await takeBackCrashes(db, [claim]), [{ id: claim.id }])
  })

  t.test('keeps a healthy dispatch from counting as poison, however often the database was away', async (t) => {
    const id = await storeDispatch(db)
    for (let outage = 1; outage <= 5; outage += 1) {
      const claim = await claimOne(db, 'deliver', { worker: A })
      await expireLeases(db)
      t.match(await rescueJobs(other), { poisoned: [] })
      await takeBackCrashes(db, [claim])
      await makeAllDue(db)
    }

    tells(t, await readStory(db, id), { dispatch: { state: 'received' }, job: { crashes: 0, is_fate_unknown: true } })
  })
})
