import { sql } from 'kysely'
import t from 'tap'
import { takeTurn } from '../../src/store/take-turn.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

void t.test('takeTurn', async (t) => {
  const turn = { task: 'partitions', holder: 'one', leaseSeconds: 60 }

  await t.test('gives a task to whoever asks first, until the lease ends', async (t) => {
    const { db } = await openTestDatabase(t)

    t.equal(await takeTurn(db, turn), true)
    t.equal(await takeTurn(db, { ...turn, holder: 'two' }), false)

    await sql`update periodic_leases set leased_until = now() - interval '1 second'`.execute(db)
    t.equal(await takeTurn(db, { ...turn, holder: 'two' }), true)
    t.equal(await takeTurn(db, turn), false)
  })

  await t.test('lets the holder renew', async (t) => {
    const { db } = await openTestDatabase(t)
    await takeTurn(db, { ...turn, leaseSeconds: 1 })

    t.equal(await takeTurn(db, { ...turn, leaseSeconds: 600 }), true)

    const { rows } = await sql<{ rest: number }>`
      select extract(epoch from leased_until - now())::float8 as rest from periodic_leases`.execute(db)
    t.ok((rows[0]?.rest ?? 0) > 500)
  })

  await t.test('gives each task away by itself', async (t) => {
    const { db } = await openTestDatabase(t)
    await takeTurn(db, turn)

    t.equal(await takeTurn(db, { ...turn, task: 'match-events', holder: 'two' }), true)
  })

  await t.test('has one winner where many instances ask at once', async (t) => {
    const { db, url } = await openTestDatabase(t)
    const { db: other } = await openTestDatabase(t, url)

    const turns = await Promise.all(
      Array.from({ length: 10 }, (_, number) =>
        takeTurn(number % 2 === 0 ? db : other, { ...turn, holder: `${number}` }),
      ),
    )

    t.equal(turns.filter((isMine) => isMine).length, 1)
  })
})
