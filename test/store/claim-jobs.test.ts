import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import type { Db } from '../../src/store/database.ts'
import { addConnection } from '../support/connections.ts'
import { addDue, addReport, claim, expireLeases, listJobs } from '../support/jobs.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

/** Two instances' pools on one database with the connection `acme`. */
async function createFixture(t: Test): Promise<{ db: Db; other: Db }> {
  const { db, url } = await openTestDatabase(t)
  const { db: other } = await openTestDatabase(t, url)
  await addConnection(db)
  return { db, other }
}

const names = (count: number): string[] => Array.from({ length: count }, (_, number) => `a-${number}`)

void t.test('claimJobs', async (t) => {
  await t.test('leases due jobs to a worker, and counts the claim', async (t) => {
    const { db } = await createFixture(t)
    const [id] = await addDue(db, ['a'])

    const claimed = await claim(db, { worker: 'w7', leaseSeconds: 90 })

    const [job] = await listJobs(db)
    t.match(claimed, [
      {
        id: job?.id,
        kind: 'deliver',
        connection: 'acme',
        dispatchId: id,
        resultId: null,
        revision: 0,
        claimNo: 1,
        attempts: 0,
        crashes: 0,
        isFateUnknown: false,
        claimedAtMs: Number,
      },
    ])
    t.match(job, { claimed_by: 'w7', claim_no: 1 })
    const { rows } = await sql<{ rest: number }>`
      select extract(epoch from leased_until - now())::float8 as rest from jobs`.execute(db)
    t.ok((rows[0]?.rest ?? 0) > 80 && (rows[0]?.rest ?? 0) <= 90)
  })

  await t.test('takes nothing that is leased, parked, due later or of another kind', async (t) => {
    const { db } = await createFixture(t)
    const [leased, parked, later, reported] = await addDue(db, ['leased', 'parked', 'later', 'reported'])
    await sql`update jobs set leased_until = now() + interval '1 minute', claimed_by = 'x' where dispatch_id = ${leased}`.execute(
      db,
    )
    await sql`update jobs set parked_reason = 'timeout' where dispatch_id = ${parked}`.execute(db)
    await sql`update jobs set due_at = now() + interval '1 second' where dispatch_id = ${later}`.execute(db)
    await db.deleteFrom('jobs').where('dispatch_id', '=', String(reported)).execute()
    const resultId = await addReport(db, String(reported))

    t.same(await claim(db), [])
    t.match(await claim(db, { kind: 'report' }), [{ kind: 'report', resultId }])
  })

  await t.test('takes the oldest due first, and no more than fit', async (t) => {
    const { db } = await createFixture(t)
    const ids = await addDue(db, names(10))
    for (const [number, id] of ids.entries()) {
      // The latest stored are due first.
      await sql`update jobs set due_at = now() - make_interval(secs => ${number}) where dispatch_id = ${id}`.execute(db)
    }

    const claimed = await claim(db, { maxInFlight: 4 })

    t.same(new Set(claimed.map((job) => job.dispatchId)), new Set(ids.slice(-4)))
  })

  await t.test('takes jobs that are due alike in the order they were stored', async (t) => {
    const { db } = await createFixture(t)
    const ids = await addDue(db, names(10))

    const claimed = [...(await claim(db, { maxInFlight: 3 })), ...(await claim(db, { maxInFlight: 6 }))]

    t.same(
      claimed.map((job) => job.dispatchId),
      ids.slice(0, 6),
    )
  })

  await t.test('counts what every instance has in flight against the same slots', async (t) => {
    const { db, other } = await createFixture(t)
    await addDue(db, names(10))

    t.equal((await claim(db, { maxInFlight: 3 })).length, 3)
    t.equal((await claim(other, { maxInFlight: 4 })).length, 1)
    t.equal((await claim(db, { maxInFlight: 4 })).length, 0)
    t.equal((await claim(db, { maxInFlight: 2 })).length, 0, 'fewer slots than are taken')
  })

  await t.test('counts an expired lease until it is rescued: its work may still be under way', async (t) => {
    const { db } = await createFixture(t)
    await addDue(db, names(3))
    await claim(db, { maxInFlight: 2 })

    await expireLeases(db)

    t.same(await claim(db, { maxInFlight: 2 }), [])
  })

  await t.test('counts each kind against its own slots', async (t) => {
    const { db } = await createFixture(t)
    const [id] = await addDue(db, ['a'])
    await addReport(db, String(id))

    t.equal((await claim(db, { maxInFlight: 1 })).length, 1)
    t.equal((await claim(db, { maxInFlight: 1, kind: 'report' })).length, 1)
  })

  await t.test('never gives one job to two workers, nor more than the slots, however they race', async (t) => {
    const { db, other } = await createFixture(t)
    await addDue(db, names(60))
    const claimed: number[] = []

    for (let round = 0; claimed.length < 60 && round < 200; round += 1) {
      const taken = await Promise.all(
        [db, other, db, other].map((instance, worker) => claim(instance, { worker: `w${worker}`, maxInFlight: 5 })),
      )
      const ids = taken.flat().map((job) => job.id)
      t.ok(ids.length <= 5, 'within the slots')
      claimed.push(...ids)
      await db
        .deleteFrom('jobs')
        .where('id', 'in', [0, ...ids])
        .execute()
    }

    t.equal(claimed.length, 60)
    t.equal(new Set(claimed).size, 60)
  })

  await t.test('passes over a connection that another claimer holds, without waiting', async (t) => {
    const { db, other } = await createFixture(t)
    await addConnection(db, { name: 'second', key: null })
    await addDue(db, ['a'])
    const [second] = await addDue(db, ['b'], 'second')

    await other.transaction().execute(async (tx) => {
      await sql`select from connections where name = 'acme' for no key update`.execute(tx)

      t.match(await claim(db, { connections: ['acme', 'second'] }), [{ dispatchId: second }])
    })
  })

  await t.test('gives each connection its own slots', async (t) => {
    const { db } = await createFixture(t)
    await addConnection(db, { name: 'second', key: null })
    await addDue(db, names(5))
    await addDue(db, names(5), 'second')

    const claimed = await claim(db, { connections: ['acme', 'second'], maxInFlight: 2 })

    t.same(claimed.map((job) => job.connection).toSorted(byText), ['acme', 'acme', 'second', 'second'])
  })

  await t.test('delivers nothing for a paused connection and still reports; neither for an archived one', async (t) => {
    const { db } = await createFixture(t)
    const [id] = await addDue(db, ['a'])
    await addReport(db, String(id))
    await sql`update connections set state = 'paused', state_reason = 'x'`.execute(db)

    t.same(await claim(db), [])
    t.match(await claim(db, { kind: 'report' }), [{ kind: 'report' }])

    await sql`update jobs set leased_until = null, claimed_by = null`.execute(db)
    await sql`update connections set state = 'archived'`.execute(db)
    t.same(await claim(db), [])
    t.same(await claim(db, { kind: 'report' }), [])
  })

  await t.test('takes nothing for connections that are unknown, or for none at all', async (t) => {
    const { db } = await createFixture(t)
    await addDue(db, ['a'], 'removed')

    t.same(await claim(db, { connections: ['removed', 'never'] }), [])
    t.same(await claim(db, { connections: [] }), [])
  })

  await t.test('lets a claim number only grow', async (t) => {
    const { db } = await createFixture(t)
    await addDue(db, ['a'])
    const numbers: (number | undefined)[] = []

    for (let round = 0; round < 3; round += 1) {
      numbers.push((await claim(db))[0]?.claimNo)
      await sql`update jobs set leased_until = null, claimed_by = null`.execute(db)
    }

    t.same(numbers, [1, 2, 3])
  })
})

function byText(one: string, other: string): number {
  return one < other ? -1 : 1
}
