import { inspect } from 'node:util'
import { sql } from 'kysely'
import t from 'tap'
import { AppError } from '../../src/errors.ts'
import { createSilentLogger } from '../../src/logger.ts'
import type { Db } from '../../src/store/database.ts'
import { openDatabase } from '../../src/store/database.ts'
import {
  errorCode,
  isDataError,
  isDatabaseAway,
  isMissingPartition,
  isUniqueViolation,
  isWorthRunningAgain,
  toAppError,
} from '../../src/store/database-errors.ts'
import { serveSockets, unusedOrigin } from '../support/local-server.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

/** An error as PostgreSQL and node raise them. */
const coded = (code: string, more: object = {}): Error =>
  Object.assign(new Error(`told apart by ${code}`), { code }, more)

const AWAY = [
  '08000 08001 08003 08004 08006 08P01 25006 28000 28P01 3D000 53000 53100 53200 53300 53400',
  '57014 57P01 57P02 57P03 57P05 58000 58030 40003',
  'ECONNREFUSED ECONNRESET ECONNABORTED EPIPE ETIMEDOUT ENOTFOUND EAI_AGAIN EHOSTUNREACH',
  'ENETUNREACH ENETDOWN EADDRNOTAVAIL',
].flatMap((codes) => codes.split(' '))
const AGAIN = ['40001', '40P01']
const DATA = ['22000', '22003', '22007', '22008', '22009', '22021', '22P02', '22P05']
const OURS = ['23502', '23503', '23505', '42501', '42601', '42703', '42P01', '54000', '55P03', 'XX000', '22', '']

void t.test('toAppError', async (t) => {
  for (const code of [...AWAY, ...AGAIN]) {
    t.match(toAppError(coded(code)), { code: 'RCV_DATABASE_UNAVAILABLE', statusCode: 503, retryAfterSeconds: 5 }, code)
  }
  for (const code of [...DATA, ...OURS, '23514']) t.match(toAppError(coded(code)), { code: 'RCV_INTERNAL' }, code)

  await t.test('leaves an error of the catalogue as it is', async (t) => {
    const error = new AppError('RCV_STATE_CONFLICT', 'as it was')

    t.equal(toAppError(error), error)
  })

  await t.test('keeps the cause and tells nothing of it', async (t) => {
    const cause = coded('57P01')

    const error = toAppError(cause)

    t.equal(error.cause, cause)
    t.notMatch(error.message, /told apart/)
  })

  await t.test('does not blame the database for faults of ours, whatever they speak of', async (t) => {
    const ours = [
      new TypeError("Cannot read properties of undefined (reading 'connection')"),
      new RangeError('timeout is closed'),
      new Error('connection acme is not known'),
      new Error('no result'),
      'Connection terminated',
      undefined,
      null,
      { code: 57 },
    ]

    for (const fault of ours) t.equal(toAppError(fault).code, 'RCV_INTERNAL', inspect(fault))
  })
})

void t.test('the classes of errors', async (t) => {
  await t.test('are told apart by code', async (t) => {
    for (const code of AWAY) t.ok(isDatabaseAway(coded(code)), `${code} says that the database is away`)
    for (const code of [...DATA, ...OURS]) t.notOk(isDatabaseAway(coded(code)), `${code} does not`)
    t.ok(isDatabaseAway(coded('EAI_FAIL', { syscall: 'getaddrinfo' })), 'nor can a name be found')
    for (const code of DATA) t.ok(isDataError(coded(code)), `${code} is about a value`)
    for (const code of [...AWAY, ...AGAIN, ...OURS]) t.notOk(isDataError(coded(code)), `${code} is not`)
    for (const code of AGAIN) t.ok(isWorthRunningAgain(coded(code)), `${code} may succeed when run again`)
    for (const code of [...AWAY, ...DATA, ...OURS]) t.notOk(isWorthRunningAgain(coded(code)), `${code} may not`)
    t.ok(isUniqueViolation(coded('23505')))
    t.notOk(isUniqueViolation(coded('23514')))
    t.equal(errorCode(coded('23505')), '23505')
  })

  await t.test('count any code while a socket is being opened', async (t) => {
    t.ok(isDatabaseAway(coded('ENOENT', { syscall: 'connect' })), 'the Unix socket is gone')
    t.notOk(isDatabaseAway(coded('ENOENT', { syscall: 'open' })), 'a file is gone')
  })

  await t.test('tell a missing partition from a broken rule', async (t) => {
    const { db } = await openTestDatabase(t)
    const missing = await refusalOf(
      sql`insert into attempts (day, dispatch_id, job_id, kind, number, claim_no, started_at, duration_ms, outcome, worker)
        values ('1999-12-31', gen_random_uuid(), 1, 'deliver', 1, 1, now(), 1, 'retry', 'w')`.execute(db),
    )
    const broken = await refusalOf(
      sql`insert into connections (name, provider) values ('Not A Slug', 'mock')`.execute(db),
    )

    t.same([errorCode(missing), isMissingPartition(missing)], ['23514', true])
    t.same([errorCode(broken), isMissingPartition(broken)], ['23514', false])
  })
})

void t.test('errors as they really come', async (t) => {
  const refused = async (db: Db): Promise<unknown> => refusalOf(sql`select 1`.execute(db))

  await t.test('away: nobody listens', async (t) => {
    const db = openUnused(t, (await unusedOrigin()).replace('http', 'postgres'))

    t.equal(isDatabaseAway(await refused(db)), true)
  })

  await t.test('away: who listens hangs up', async (t) => {
    const origin = await serveSockets(t, (socket) => socket.destroy())
    const db = openUnused(t, origin.replace('http', 'postgres'))

    t.equal(isDatabaseAway(await refused(db)), true)
  })

  await t.test('away: the password is wrong, or there is no such database', async (t) => {
    const { url } = await openTestDatabase(t)
    const stranger = new URL(url)
    stranger.username = 'nobody-of-that-name'
    const elsewhere = new URL(url)
    elsewhere.pathname = '/no-such-database'

    t.equal(isDatabaseAway(await refused(openUnused(t, stranger.href))), true)
    t.equal(isDatabaseAway(await refused(openUnused(t, elsewhere.href))), true)
  })

  await t.test('away: the server ends our session, or refuses to write', async (t) => {
    const { db, url } = await openTestDatabase(t, undefined, { poolSize: 1 })
    const { db: other } = await openTestDatabase(t, url)
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
    const sleeping = refusalOf(sql`select pg_sleep(60)`.execute(db))
    await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(other)

    t.equal(isDatabaseAway(await sleeping), true)

    const readOnly = await refusalOf(
      other
        .transaction()
        .setAccessMode('read only')
        .execute((tx) => sql`create table never (id int)`.execute(tx)),
    )
    t.equal(isDatabaseAway(readOnly), true)
  })

  await t.test('away: our own pool is closed', async (t) => {
    const { url } = await openTestDatabase(t)
    const handle = openDatabase({ url, poolSize: 1, logger: createSilentLogger() })
    await sql`select 1`.execute(handle.db)
    await handle.close()

    t.equal(isDatabaseAway(await refused(handle.db)), true)
  })

  await t.test('about a value: what a body can hold and PostgreSQL cannot', async (t) => {
    const { db } = await openTestDatabase(t)

    for (const time of ['0000-01-01T00:00:00Z', '2026-05-04T13:00:00+23:59', '2026-05-04\u00a013:00:00Z', 'x']) {
      t.ok(isDataError(await refusalOf(sql`select ${time}::text::timestamptz`.execute(db))), time)
    }
    t.ok(isDataError(await refusalOf(sql`select ${'a\u0000b'}::text`.execute(db))), 'U+0000')
  })
})

function openUnused(t: { teardown: (close: () => Promise<void>) => void }, url: string): Db {
  const handle = openDatabase({ url, poolSize: 1, logger: createSilentLogger() })
  t.teardown(() => handle.close())
  return handle.db
}

async function refusalOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}
