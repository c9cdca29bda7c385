import { sql } from 'kysely'
import t from 'tap'
import { insertDispatches } from '../../src/store/insert-dispatches.ts'
import type { Db } from '../../src/store/database.ts'
import { DAYS_AHEAD, ensureDayPartitions } from '../../src/store/partitions.ts'
import { newDispatch } from '../support/activities.ts'
import { openTestDatabase } from '../support/open-test-database.ts'
import { whenBlocked } from '../support/when-blocked.ts'

/** Name and bounds of every partition, by name. */
async function partitions(db: Db): Promise<string[]> {
  const { rows } = await sql<{ shown: string }>`
    select c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid) as shown
    from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
    where p.relkind = 'p' order by c.relname`.execute(db)
  return rows.map((row) => row.shown)
}

async function dropPartitions(db: Db): Promise<void> {
  for (const shown of await partitions(db)) await sql`drop table ${sql.table(shown.split(' ')[0] ?? '')}`.execute(db)
}

async function today(db: Db): Promise<Date> {
  const { rows } = await sql<{ day: string }>`select (now() at time zone 'utc')::date as day`.execute(db)
  return new Date(`${rows[0]?.day}T00:00:00Z`)
}

function expected(first: Date, days: number): string[] {
  const DAY_MS = 86_400_000
  const day = (offset: number): string => new Date(first.getTime() + offset * DAY_MS).toISOString().slice(0, 10)
  return ['attempts', 'dispatch_bodies'].flatMap((parent) =>
    Array.from({ length: days }, (_, offset) => {
      const name = `${parent}_${day(offset).replaceAll('-', '')}`
      return `${name} FOR VALUES FROM ('${day(offset)}') TO ('${day(offset + 1)}')`
    }),
  )
}

void t.test('ensureDayPartitions', async (t) => {
  await t.test('makes today and the next fourteen days of both tables', async (t) => {
    const { db } = await openTestDatabase(t)
    await dropPartitions(db)

    const made = await ensureDayPartitions(db)

    t.equal(DAYS_AHEAD, 14)
    t.equal(made, 30)
    t.same(await partitions(db), expected(await today(db), 15))
  })

  await t.test('makes only what is missing, and nothing twice', async (t) => {
    const { db } = await openTestDatabase(t)
    const before = await partitions(db)
    const [one, , three] = before.map((shown) => shown.split(' ')[0] ?? '')
    for (const name of [one, three]) await sql`drop table ${sql.table(name ?? '')}`.execute(db)

    t.equal(await ensureDayPartitions(db), 2)
    t.equal(await ensureDayPartitions(db), 0)

    t.same(await partitions(db), before)
  })

  await t.test('makes each once where two instances start at once', async (t) => {
    const { db, url } = await openTestDatabase(t)
    const { db: other } = await openTestDatabase(t, url)
    await dropPartitions(db)

    const made = await Promise.all([ensureDayPartitions(db), ensureDayPartitions(other), ensureDayPartitions(db)])

    t.equal(Math.max(...made), 30)
    t.equal((await partitions(db)).length, 30)
  })

  await t.test('gives partitions the key and the indexes of their table', async (t) => {
    const { db } = await openTestDatabase(t)

    const { rows } = await sql<{ indexes: number }>`
      select count(*) as indexes from pg_index i join pg_inherits p on p.inhrelid = i.indrelid
      group by i.indrelid`.execute(db)

    t.same(new Set(rows.map((row) => row.indexes)), new Set([1]))
  })

  await t.test('does not keep a dispatch waiting, nor is kept waiting by one', async (t) => {
    const { db, url } = await openTestDatabase(t)
    const { db: other } = await openTestDatabase(t, url)
    const names = (await partitions(db)).map((shown) => shown.split(' ')[0] ?? '')
    await sql`drop table ${sql.table(names.at(-1) ?? '')}`.execute(db)
    await db.transaction().execute(async (tx) => {
      await insertDispatches(tx, [newDispatch('uncommitted')])

      t.equal(await ensureDayPartitions(other), 1, 'beside an insert that is not committed')
    })

    await sql`drop table ${sql.table(names.at(-1) ?? '')}`.execute(db)
    let waiting: Promise<number> = Promise.resolve(0)
    await db.transaction().execute(async (tx) => {
      await sql`select pg_advisory_xact_lock(7360911)`.execute(tx)
      waiting = ensureDayPartitions(other)
      await whenBlocked(db)
      await insertDispatches(other, [newDispatch('meanwhile')])
    })
    t.equal(await waiting, 1)
  })
})
