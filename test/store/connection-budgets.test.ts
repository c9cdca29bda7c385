import { sql } from 'kysely'
import t from 'tap'
import { giveTokenBack, holdOff } from '../../src/store/connection-budgets.ts'
import type { Db } from '../../src/store/database.ts'
import { claimJobs } from '../../src/store/claim-jobs.ts'
import { releaseUnbegun } from '../../src/store/release-job.ts'
import { addDue, addReport } from '../support/jobs.ts'
import { openLedger } from '../support/ledger.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

const { db, url } = await openLedger(t)

const names = (count: number): string[] => Array.from({ length: count }, (_, number) => `a-${number}`)

interface Rate {
  readonly ratePerSecond?: number
  readonly most?: number
  readonly connections?: readonly string[]
}

/** Claims within a rate; answers how many. */
async function take(from: Db, { ratePerSecond, most, connections = ['acme'] }: Rate): Promise<number> {
  const shares = connections.map((connection) => ({
    connection,
    maxInFlight: 100,
    ratePerSecond,
    ...(most === undefined ? {} : { most }),
  }))
  return (await claimJobs(from, { kind: 'deliver', worker: 'w', leaseSeconds: 60, shares })).length
}

/** As if the budget had last been counted this long ago. */
async function pass(seconds: number): Promise<void> {
  await sql`
    update connection_budgets set counted_at = counted_at - make_interval(secs => ${seconds}),
      closed_until = closed_until - make_interval(secs => ${seconds})`.execute(db)
}

void t.test('a connection’s rate', async (t) => {
  await t.test('is a second’s worth at first, and then what comes in', async (t) => {
    await addDue(db, names(40))

    t.equal(await take(db, { ratePerSecond: 8 }), 8)
    t.equal(await take(db, { ratePerSecond: 8 }), 0)
    await pass(0.5)
    t.equal(await take(db, { ratePerSecond: 8 }), 4)
  })

  await t.test('gathers no more than a second’s worth, however long nothing is done', async (t) => {
    await addDue(db, names(40))
    await take(db, { ratePerSecond: 8 })
    await pass(3_600)

    t.equal(await take(db, { ratePerSecond: 8 }), 8)
  })

  await t.test('below one a second is one at a time, after as long as it takes', async (t) => {
    await addDue(db, names(5))

    t.equal(await take(db, { ratePerSecond: 0.25 }), 1)
    await pass(3)
    t.equal(await take(db, { ratePerSecond: 0.25 }), 0)
    await pass(1)
    t.equal(await take(db, { ratePerSecond: 0.25 }), 1)
  })

  await t.test('goes on where the clock of the server is set back', async (t) => {
    await addDue(db, names(40))
    await take(db, { ratePerSecond: 8 })
    await pass(-3_600)

    t.equal(
      await take(db, { ratePerSecond: 8 }),
      8,
      'nobody knows what came in meanwhile: a second’s worth at the most',
    )
    t.equal(await take(db, { ratePerSecond: 8 }), 0)
  })

  await t.test('counts what was taken, not what might have been', async (t) => {
    await addDue(db, names(3))
    await take(db, { ratePerSecond: 8 })
    await addDue(db, ['b-1', 'b-2', 'b-3', 'b-4', 'b-5', 'b-6', 'b-7'])

    t.equal(await take(db, { ratePerSecond: 8 }), 5)
  })

  await t.test('is its own: others have theirs, or none', async (t) => {
    await db.insertInto('connections').values({ name: 'other', provider: 'test' }).execute()
    await addDue(db, names(20))
    await addDue(db, names(20), 'other')
    await take(db, { ratePerSecond: 8 })

    t.equal(await take(db, { ratePerSecond: 8, connections: ['acme', 'other'] }), 8)
    t.equal(await take(db, { connections: ['other'] }), 12)
    t.equal(await take(db, {}), 12, 'a rate that was taken away no longer counts')
  })

  await t.test('is given back with what was not begun', async (t) => {
    await addDue(db, names(20))
    const share = { connection: 'acme', maxInFlight: 100, ratePerSecond: 4 }
    const jobs = await claimJobs(db, { kind: 'deliver', worker: 'w', leaseSeconds: 60, shares: [share] })

    await releaseUnbegun(db, jobs.slice(0, 3))

    t.equal(await take(db, { ratePerSecond: 4 }), 3)
    await giveTokenBack(db, { connection: 'nobody', kind: 'deliver' })
    await releaseUnbegun(db, jobs.slice(0, 3)) // those claims are over: nothing is given twice
    t.equal(await take(db, { ratePerSecond: 4 }), 0)
  })

  await t.test('holds for all who claim at once', async (t) => {
    const { db: other } = await openTestDatabase(t, url)
    await addDue(db, names(90))
    const startedMs = performance.now()
    let taken = 0
    const claimer = async (from: Db): Promise<void> => {
      for (let time = 0; time < 60; time += 1) {
        const some = await take(from, { ratePerSecond: 20 })
        taken += some
      }
    }

    await Promise.all([claimer(db), claimer(other), claimer(db), claimer(other)])

    const allowed = 20 + (20 * (performance.now() - startedMs)) / 1_000
    t.ok(taken >= 20 && taken <= allowed, `${taken} of ${allowed}`)
  })
})

void t.test('holdOff', async (t) => {
  await t.test('closes a connection for all, until its time is over', async (t) => {
    const { db: other } = await openTestDatabase(t, url)
    await addDue(db, names(20))
    await holdOff(db, { connection: 'acme', kind: 'deliver', forMs: 10_000 })

    t.equal(await take(other, {}), 0)
    t.equal(await take(other, { ratePerSecond: 4 }), 0)
    await pass(10)
    t.equal(await take(other, { ratePerSecond: 4 }), 4)
    t.equal(await take(other, {}), 16)
  })

  await t.test('never shortens what was asked for before', async (t) => {
    await addDue(db, names(2))
    await holdOff(db, { connection: 'acme', kind: 'deliver', forMs: 60_000 })
    await holdOff(db, { connection: 'acme', kind: 'deliver', forMs: 1_000 })
    await pass(30)

    t.equal(await take(db, {}), 0)
  })

  await t.test('is about deliveries or about reports, not both', async (t) => {
    const [id] = await addDue(db, ['a-1'])
    await addReport(db, String(id))
    await holdOff(db, { connection: 'acme', kind: 'report', forMs: 60_000 })
    const shares = [{ connection: 'acme', maxInFlight: 9 }]

    t.equal(await take(db, {}), 1)
    t.same(await claimJobs(db, { kind: 'report', worker: 'w', leaseSeconds: 60, shares }), [])
  })
})

void t.test('claimJobs', async (t) => {
  await t.test('takes no more than it was asked for, whatever is free', async (t) => {
    await addDue(db, names(5))

    t.equal(await take(db, { most: 1 }), 1)
  })
})
