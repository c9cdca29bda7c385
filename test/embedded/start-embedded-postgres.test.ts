import { once } from 'node:events'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { startEmbeddedPostgres } from '../../src/embedded/start-embedded-postgres.ts'
import {
  createDirectory,
  prepareDirectories,
  query,
  startOwner,
  startServer,
  SLOW_TEST_MS,
} from './embedded-fixture.ts'

t.setTimeout(SLOW_TEST_MS)

t.test('a server', async (t) => {
  const directory = join(createDirectory(t), 'postgres')
  const { url } = await startServer(t, { directory })

  t.test('makes a durable UTF-8 database for this machine alone', async (t) => {
    const settings = [
      'listen_addresses',
      'server_encoding',
      'fsync',
      'synchronous_commit',
      'max_connections',
      'timezone',
    ]
    const columns = settings.map((name) => `current_setting('${name}') as ${name}`).join(', ')
    t.strictSame(await query(url, `select current_database() as database, ${columns}`), [
      {
        database: 'reten_dispatch_receiver',
        listen_addresses: '127.0.0.1',
        server_encoding: 'UTF8',
        fsync: 'on',
        synchronous_commit: 'on',
        max_connections: '100',
        timezone: 'UTC',
      },
    ])
  })

  t.test('lets nobody in without the password, which only its user can read', async (t) => {
    const wrong = new URL(url)
    wrong.password = 'guessed'

    await t.rejects(query(wrong.href, 'select 1'), { code: '28P01' })
    t.equal(statSync(join(directory, 'password')).mode & 0o777, 0o600)
  })

  t.test('orders and folds text the same on every system', async (t) => {
    const rows = await query(url, `select upper('ärger') as upper, 'Z' < 'a' as is_by_code_point`)

    t.strictSame(rows, [{ upper: 'ÄRGER', is_by_code_point: true }])
  })

  t.test('keeps the rows of a refused statement out of its log', async (t) => {
    await query(url, 'create table guarded (name text, age int check (age > 0))')

    await t.rejects(query(url, `insert into guarded select 'secret' || 'name', 0`), { code: '23514' })

    t.notMatch(readFileSync(join(directory, 'server.log'), 'utf8'), 'secretname')
  })
})

t.test('startEmbeddedPostgres', async (t) => {
  const createPrepared = await prepareDirectories(t)

  t.test('finds its data and its port again', async (t) => {
    const options = createPrepared(t)
    const first = await startServer(t, options)
    await query(first.url, 'create table kept as select 42 as answer')
    await first.stop()

    const second = await startServer(t, options)

    t.equal(second.url, first.url)
    t.strictSame(await query(second.url, 'select answer from kept'), [{ answer: 42 }])
  })

  t.test('takes another port when its own is taken', async (t) => {
    const options = createPrepared(t)
    const first = await startServer(t, options)
    await first.stop()
    const intruder = createServer().listen(first.port, '127.0.0.1')
    t.teardown(() => intruder.close())
    await once(intruder, 'listening')

    const second = await startServer(t, options)

    t.not(second.port, first.port)
    t.strictSame(await query(second.url, 'select 1 as one'), [{ one: 1 }])
  })

  t.test('works in a directory with blanks, quotes and accents in its path', async (t) => {
    const directory = join(createDirectory(t), `it's "my" café`, 'data of postgres')

    const { url } = await startServer(t, { directory, isThrowaway: true })

    t.strictSame(await query(url, 'select 1 as one'), [{ one: 1 }])
  })

  t.test('shares the server of another process, and leaves it alone', async (t) => {
    const options = createPrepared(t)
    const owner = await startOwner(t, options)

    const guest = await startServer(t, options)
    await guest.stop()

    t.match(guest, { isOwner: false, url: owner.url, port: owner.port })
    t.strictSame(await query(owner.url, 'select 1 as one'), [{ one: 1 }])
  })

  t.test('gives processes that start at the same moment one server', async (t) => {
    const directory = join(createDirectory(t), 'postgres')

    const owners = await Promise.all([1, 2, 3].map(() => startOwner(t, { directory, isThrowaway: true })))

    t.equal(owners.filter(({ isOwner }) => isOwner).length, 1)
    t.equal(new Set(owners.map(({ url }) => url)).size, 1)
  })

  t.test('runs the servers of many directories side by side', async (t) => {
    const prepared = Array.from({ length: 5 }, () => createPrepared(t))

    const servers = await Promise.all(prepared.map((options) => startServer(t, options)))

    t.equal(new Set(servers.map(({ port }) => port)).size, prepared.length)
    const answers = await Promise.all(servers.map(({ url }) => query(url, `show data_directory`)))
    t.strictSame(
      answers.flat().map((row) => row['data_directory']),
      prepared.map(({ directory }) => join(directory, 'data')),
    )
  })

  t.test('stops a start that is called off', async (t) => {
    const options = createPrepared(t)
    const controller = new AbortController()

    const start = startEmbeddedPostgres({ ...options, signal: controller.signal })
    controller.abort(new Error('called off'))

    await t.rejects(start, { message: 'called off' })
  })

  t.test('quotes the log when the server does not come up', async (t) => {
    const options = createPrepared(t)
    rmSync(join(options.directory, 'data', 'global', 'pg_control'))

    await t.rejects(startEmbeddedPostgres(options), { code: 'RCV_EMBEDDED_START', message: /pg_control/ })
  })

  t.test('does not treat durable data as throwaway', async (t) => {
    const { directory } = createPrepared(t)
    rmSync(join(directory, 'throwaway'))

    await t.rejects(startEmbeddedPostgres({ directory, isThrowaway: true }), {
      code: 'RCV_EMBEDDED_START',
      message: `${directory} holds durable data, not to be used as throwaway`,
    })
  })

  t.test('does not rely on throwaway data', async (t) => {
    const { directory } = createPrepared(t)

    await t.rejects(startEmbeddedPostgres({ directory, isThrowaway: false }), {
      code: 'RCV_EMBEDDED_START',
      message: `${directory} holds throwaway data, not to be relied on`,
    })
  })

  t.test('says which path it cannot use', async (t) => {
    const directory = join(createDirectory(t), 'file', 'postgres')
    writeFileSync(join(directory, '..'), '')

    await t.rejects(startEmbeddedPostgres({ directory }), {
      code: 'RCV_EMBEDDED_START',
      message: new RegExp(directory),
    })
  })
})
