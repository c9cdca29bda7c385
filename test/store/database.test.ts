import { CompiledQuery, sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import { createLogger } from '../../src/logger.ts'
import { openDatabase } from '../../src/store/database.ts'
import type { DatabaseHandle, DatabaseOptions } from '../../src/store/database.ts'
import { isDatabaseAway } from '../../src/store/database-errors.ts'
import { pingDatabase } from '../../src/store/ping-database.ts'
import { openBreakableWay } from '../support/breakable-way.ts'
import { createTestDatabase } from '../support/database.ts'
import { serveSockets } from '../support/local-server.ts'

interface Fixture extends DatabaseHandle {
  readonly lines: readonly string[]
}

function open(t: Test, url: string, overrides: Partial<DatabaseOptions> = {}): Fixture {
  const lines: string[] = []
  const logger = createLogger({ level: 'info', isPretty: false, destination: { write: (line) => lines.push(line) } })
  const handle = openDatabase({ url, poolSize: 2, logger, ...overrides })
  t.teardown(() => handle.close())
  return { ...handle, lines }
}

void t.test('openDatabase', async (t) => {
  await t.test('reads bigint as a number, a day as text and bytes as bytes', async (t) => {
    const { url } = await createTestDatabase(t)
    const { db } = open(t, url)

    const { rows } = await sql`
      select 9007199254740991::bigint as n, '2026-01-31'::date as day, '\\x00ff'::bytea as bytes`.execute(db)

    t.same(rows, [{ n: 9_007_199_254_740_991, day: '2026-01-31', bytes: Buffer.from([0, 255]) }])
  })

  await t.test(
    'bounds statements and idle transactions, except for migrations and through a pooler that refuses such settings',
    async (t) => {
      const startOf = async (kind: Partial<DatabaseOptions>): Promise<string> => {
        const { promise, resolve } = Promise.withResolvers<string>()
        const origin = await serveSockets(t, (socket) => {
          socket.once('data', (bytes) => {
            resolve(bytes.toString())
            socket.destroy()
          })
        })
        const { db } = open(t, origin.replace('http', 'postgres'), kind)
        await sql`select 1`.execute(db).catch(() => {}) // nobody answers: what was asked for is all that counts
        return promise
      }

      t.match(await startOf({}), /statement_timeout.30000.*idle_in_transaction_session_timeout.15000/s)
      t.notMatch(await startOf({ isPooled: true }), /timeout/)
      t.notMatch(await startOf({ isPatient: true }), /timeout/)
    },
  )

  await t.test('prepares a statement that says so once per connection, except through a pooler', async (t) => {
    const { url } = await createTestDatabase(t)
    const preparedBy = async (isPooled: boolean): Promise<unknown> => {
      const { db } = open(t, url, { poolSize: 1, isPooled })
      for (const n of [1, 2]) await db.executeQuery(CompiledQuery.raw('-- prepared as twice\nselect $1::int * 2', [n]))
      const { rows } = await sql`select name, generic_plans + custom_plans as runs from pg_prepared_statements`.execute(
        db,
      )
      return rows
    }

    t.same(await preparedBy(false), [{ name: 'twice', runs: 2 }])
    t.same(await preparedBy(true), [])
  })

  await t.test('says how many wait for a connection', async (t) => {
    const { url } = await createTestDatabase(t)
    const { db, waiting } = open(t, url, { poolSize: 1 })
    await sql`select 1`.execute(db)

    const queries = Array.from({ length: 3 }, () => sql`select 1`.execute(db))
    await Promise.resolve()
    const whileBusy = waiting()
    await Promise.all(queries)

    t.ok(whileBusy > 0)
    t.equal(waiting(), 0)
  })

  await t.test('outlives idle connections that the server ends, and says so in the log', async (t) => {
    const { url } = await createTestDatabase(t)
    const { db, lines } = open(t, url, { poolSize: 1 })
    const { db: other } = open(t, url, { poolSize: 1 })
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
    await sql`select pg_terminate_backend(${rows[0]?.pid}, 5000)`.execute(other)
    while (lines.length === 0) await sql`select 1`.execute(other)

    t.match(lines, [/database.connection_lost/])
    await t.resolves(sql`select 1`.execute(db))
  })

  await t.test('outlives a connection that breaks under a statement, and opens another', async (t) => {
    const { url } = await createTestDatabase(t)
    const way = await openBreakableWay(t, url)
    const { db } = open(t, way.url, { poolSize: 1 })
    await sql`select 1`.execute(db)

    const refusal = sql`select pg_sleep(60)`.execute(db).catch((error: unknown) => error)
    way.cut()

    t.ok(isDatabaseAway(await refusal))
    await t.resolves(sql`select 1`.execute(db))
  })

  await t.test('outlives a connection that ends between the statements of a transaction', async (t) => {
    const { url } = await createTestDatabase(t)
    const { db } = open(t, url, { poolSize: 1 })
    const { db: other } = open(t, url, { poolSize: 1 })

    const refusal: unknown = await db
      .transaction()
      .execute(async (tx) => {
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx)
        await sql`select pg_terminate_backend(${rows[0]?.pid}, 5000)`.execute(other)
        await sql`select 1`.execute(tx)
      })
      .catch((error: unknown) => error)

    t.ok(isDatabaseAway(refusal))
    await t.resolves(sql`select 1`.execute(db))
  })

  await t.test('gives up a connection on which nothing comes back, and opens another', async (t) => {
    const { url } = await createTestDatabase(t)
    const way = await openBreakableWay(t, url)
    // Far above what the statement takes; in service it is above the server's own time-out for a statement.
    const { db } = open(t, way.url, { poolSize: 1, silenceTimeoutMs: 1_000 })
    await sql`select 1`.execute(db)
    way.silence()

    const refusal: unknown = await sql`select 1`.execute(db).catch((error: unknown) => error)

    t.ok(isDatabaseAway(refusal))
  })

  await t.test('leaves a connection that rests alone, however long nothing is said on it', async (t) => {
    const { url } = await createTestDatabase(t)
    const { db, lines } = open(t, url, { poolSize: 1, silenceTimeoutMs: 50 })
    const { db: other } = open(t, url, { poolSize: 1 })
    const pidOf = async () => (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)).rows[0]?.pid
    const before = await pidOf()

    await sql`select pg_sleep(0.2)`.execute(other)

    t.equal(await pidOf(), before)
    t.same(lines, [])
  })

  await t.test(
    'gives up a connection to a server that takes no writes any more, and writes by the next one',
    async (t) => {
      const { url } = await createTestDatabase(t)
      const { db } = open(t, url, { poolSize: 1 })
      const { db: other } = open(t, url, { poolSize: 1 })
      const write = () => sql`insert into migration_marks (name, is_breaking) values ('x', false)`.execute(db)
      await sql`set session characteristics as transaction read only`.execute(db)
      t.equal(await pingDatabase(other), undefined)

      t.ok(isDatabaseAway(await write().catch((error: unknown) => error)))

      await t.resolves(write())
      await sql`set session characteristics as transaction read only`.execute(db)
      t.equal(await pingDatabase(db), 'the database takes no writes')
      t.equal(await pingDatabase(db), undefined, 'asked by another connection')
    },
  )
})
