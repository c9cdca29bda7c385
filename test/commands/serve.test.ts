import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import { Agent, request } from 'undici'
import { createSilentLogger } from '../../src/logger.ts'
import { openDatabase } from '../../src/store/database.ts'
import { insertDispatches } from '../../src/store/insert-dispatches.ts'
import { openBreakableWay } from '../support/breakable-way.ts'
import { newDispatch } from '../support/activities.ts'
import { createTestDatabase } from '../support/database.ts'
import { until, untilWaiting } from '../support/ledger.ts'
import { sendJson, serve } from '../support/local-server.ts'
import { spawnService, startServiceProcess } from '../support/service-process.ts'
import type { Settings } from '../support/service-process.ts'

const KEY = 'dispatch-key-of-this-test'
/** A start takes a second; with eight at once on a busy machine, many. */
t.setTimeout(120_000)

const { url } = await createTestDatabase(t)
const sender = new Agent()
t.teardown(() => sender.destroy())

/** Settings of a service that delivers to `origin`. */
function deliverTo(origin: string, databaseUrl: string, overrides: Settings = {}): Settings {
  return {
    DATABASE_URL: databaseUrl,
    DISPATCH_API_KEY: KEY,
    PROVIDER: 'webhook',
    WEBHOOK_URL: `${origin}/tasks`,
    ...overrides,
  }
}

async function push(publicUrl: string, activityId: string, dispatcher: Agent = sender): Promise<number> {
  const { statusCode, body } = await request(`${publicUrl}/activities`, {
    dispatcher,
    method: 'POST',
    headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
    body: JSON.stringify({ id: activityId, commerce: { externalId: 'C-1' } }),
  })
  await body.dump()
  return statusCode
}

async function statusOf(address: string): Promise<number> {
  const { statusCode, body } = await request(address)
  await body.dump()
  return statusCode
}

function openDb(t: Test, databaseUrl: string) {
  const handle = openDatabase({ url: databaseUrl, poolSize: 2, logger: createSilentLogger() })
  t.teardown(() => handle.close())
  return handle.db
}

/** A port of 127.0.0.1 that somebody else listens on. */
async function takePort(t: Test): Promise<number> {
  const server = createServer()
  t.teardown(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port // it listens on TCP
}

t.test('npm start refuses', async (t) => {
  t.jobs = 4

  const emptyUrl = (await createTestDatabase(t, { isEmpty: true })).url
  const takenPort = String(await takePort(t))
  const missing = new URL(url)
  missing.pathname = '/no_such_database'
  missing.password = 'a-password-nobody-shows'

  const REFUSALS: Readonly<Record<string, readonly [settings: Settings, sentence: RegExp]>> = {
    'every wrong setting at once': [
      { DATABASE_URL: 'mysql://x', ROLE: 'boss', PORT: 'eighty', ADMIN_TOKEN: 'short' },
      /^these settings are wrong:\n(?=[^]*DATABASE_URL)(?=[^]*ROLE)(?=[^]*PORT)[^]*\n$/,
    ],
    'a wrong setting of the connection': [
      { DATABASE_URL: url, DISPATCH_API_KEY: KEY, CONNECTION_SETTINGS: '{"max_in_fligth":2}' },
      /max_in_fligth/,
    ],
    'a database that lacks migrations': [{ DATABASE_URL: emptyUrl }, /lacks 0001_\w+.*npm run migrate/],
    'a database that is not there': [{ DATABASE_URL: missing.href }, /no_such_database.*cannot be used/],
    'an address for operators that is none': [
      { DATABASE_URL: url, OPS_HOST: 'no.such.invalid' },
      /no\.such\.invalid.*OPS_HOST/,
    ],
  }
  t.test('a provider that does not exist, and leaves the connection of those that run as it is', async (t) => {
    const shared = await createTestDatabase(t)
    const running = await startServiceProcess(t, deliverTo('http://127.0.0.1:9', shared.url))
    const mistyped = await spawnService(t, { ...deliverTo('http://127.0.0.1:9', shared.url), PROVIDER: 'yomm' })

    t.same(await mistyped.ended, { code: 1, signal: null })
    t.match(mistyped.stderr(), /there is no adapter yomm/)
    const row = await openDb(t, shared.url).selectFrom('connections').select('provider').executeTakeFirstOrThrow()
    t.equal(row.provider, 'webhook')
    running.kill('SIGINT')
    await running.ended
  })

  t.test('a port that is taken, before it has begun any work', async (t) => {
    const shared = await createTestDatabase(t)
    const db = openDb(t, shared.url)
    await insertDispatches(db, [newDispatch('a-1', { connection: 'default' })])
    const service = await spawnService(t, { ...deliverTo('http://127.0.0.1:9', shared.url), PORT: takenPort })

    t.strictSame(await service.ended, { code: 1, signal: null })
    t.match(service.stderr(), new RegExp(`port ${takenPort} is taken.*PORT`))
    t.match(await db.selectFrom('jobs').selectAll().executeTakeFirstOrThrow(), { claim_no: 0 })
  })

  for (const [what, [settings, sentence]] of Object.entries(REFUSALS)) {
    t.test(`${what}, in a sentence and with exit code 1`, async (t) => {
      const service = await spawnService(t, settings)

      t.strictSame(await service.ended, { code: 1, signal: null })
      t.match(service.stderr(), sentence)
      t.notMatch(service.stderr(), /^\s+at |node:internal|a-password-nobody-shows/m)
    })
  }
})

t.test('npm start', async (t) => {
  t.test('waits for a database that starts beside it, and ends in order by SIGINT', async (t) => {
    const way = await openBreakableWay(t, url)
    way.close()
    const service = await spawnService(t, { DATABASE_URL: way.url })
    await until(() => way.refusals() > 1, 30_000)

    way.restore()

    t.match(await service.logged('service.started'), { role: 'all' })
    service.kill('SIGINT')
    t.strictSame(await service.ended, { code: 0, signal: null })
    t.match(service.lines.at(-1), { event: 'service.stopped', signal: 'SIGINT' })
    t.equal(service.stderr(), '')
  })

  t.test('ends in order while it still waits for its database', async (t) => {
    const way = await openBreakableWay(t, url)
    way.close()
    const service = await spawnService(t, { DATABASE_URL: way.url })
    await until(() => way.refusals() > 1, 30_000)

    service.kill('SIGTERM')

    t.strictSame(await service.ended, { code: 0, signal: null })
    t.match(service.lines.at(-1), { event: 'service.stopped', signal: 'SIGTERM' })
    t.equal(service.stderr(), '')
  })

  t.test('finishes what is under way before it ends', async (t) => {
    const answer = Promise.withResolvers<void>()
    const provider = await serve(t, (response) => {
      void answer.promise.then(() => sendJson(response, 201, { id: 'T-1' }))
    })
    const own = (await createTestDatabase(t)).url
    const service = await startServiceProcess(t, deliverTo(provider.origin, own))
    t.equal(await push(service.publicUrl, 'A-1'), 201)
    await until(() => provider.received.length === 1)

    service.kill('SIGTERM')
    await service.logged('service.stopping')
    answer.resolve()

    t.strictSame(await service.ended, { code: 0, signal: null })
    const rows = await openDb(t, own).selectFrom('dispatches').select(['state', 'provider_task_id']).execute()
    t.strictSame(rows, [{ state: 'delivered', provider_task_id: 'T-1' }])
  })

  t.test('answers what is in flight, and then waits for no sender that keeps its connection', async (t) => {
    const own = (await createTestDatabase(t)).url
    const service = await startServiceProcess(t, { DATABASE_URL: own, DISPATCH_API_KEY: KEY, PROVIDER: 'mock' })
    const keeper = new Agent({ keepAliveTimeout: 60_000, keepAliveMaxTimeout: 60_000 })
    t.teardown(() => keeper.destroy())
    const db = openDb(t, own)
    const isHeld = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const holding = db.transaction().execute(async (tx) => {
      await sql`lock table dispatches in exclusive mode`.execute(tx)
      isHeld.resolve()
      await release.promise
    })
    await isHeld.promise
    const pushing = push(service.publicUrl, 'A-1', keeper)
    await untilWaiting(db)

    service.kill('SIGTERM')
    await service.logged('service.stopping')
    release.resolve()
    await holding
    t.equal(await pushing, 201)
    const answeredAt = performance.now()

    t.strictSame(await service.ended, { code: 0, signal: null })
    const seconds = (performance.now() - answeredAt) / 1_000
    t.ok(seconds < 3, `ended ${seconds} s after the answer`)
  })

  t.test('ends at once by a second signal', async (t) => {
    const provider = await serve(t, () => {}) // never answers
    const own = (await createTestDatabase(t)).url
    const service = await startServiceProcess(t, deliverTo(provider.origin, own))
    await push(service.publicUrl, 'A-1')
    await until(() => provider.received.length === 1)

    service.kill('SIGTERM')
    await service.logged('service.stopping')
    service.kill('SIGTERM')

    t.strictSame(await service.ended, { code: 1, signal: null })
    const jobs = await openDb(t, own).selectFrom('jobs').select('leased_until').execute()
    t.match(jobs, [{ leased_until: Date }], 'left to be rescued')
  })
})

t.test('roles', async (t) => {
  const own = (await createTestDatabase(t)).url
  const provider = await serve(t, (response, _request, number) => sendJson(response, 201, { id: `T-${number}` }))
  const way = await openBreakableWay(t, own)
  const [http, worker] = await Promise.all([
    startServiceProcess(t, deliverTo(provider.origin, own, { ROLE: 'http' })),
    startServiceProcess(t, deliverTo(provider.origin, own, { ROLE: 'worker', DATABASE_DIRECT_URL: way.url })),
  ])
  const isListening = async (): Promise<boolean> => {
    const { rows } = await sql`
      select from pg_stat_activity
      where datname = current_database() and application_name = 'reten-dispatch-listener' and query ~* '^(listen|select pg_is_in_recovery)'`.execute(
      db,
    )
    return rows.length === 1
  }
  const db = openDb(t, own)

  t.test('a worker takes no dispatches, and both say whether they are ready', async (t) => {
    t.equal(await push(worker.publicUrl, 'A-0'), 404)
    t.strictSame([await statusOf(`${http.publicUrl}/readyz`), await statusOf(`${worker.publicUrl}/readyz`)], [200, 200])
  })

  t.test('what one process takes in, another delivers at once, since it is told', async (t) => {
    await until(isListening)
    const startedAt = performance.now()
    // Each begins where the worker has just looked: without being told it would look again a second later.
    for (const number of [1, 2, 3, 4, 5]) {
      t.equal(await push(http.publicUrl, `A-${number}`), 201)
      await until(() => provider.received.length === number)
    }
    const seconds = (performance.now() - startedAt) / 1_000

    t.ok(seconds < 3, `${seconds} s for five, one after another`)
    await until(() => worker.lines.filter((line) => line['event'] === 'delivery.attempted').length === 5)
    t.strictSame(
      http.lines.filter((line) => line['event'] === 'delivery.attempted'),
      [],
    )
  })

  t.test('a worker that cannot be told looks by itself, and listens again once it can', async (t) => {
    way.close()
    await worker.logged('listen.lost')

    t.equal(await push(http.publicUrl, 'A-6'), 201)
    await until(() => provider.received.length === 6)
    t.notOk(await isListening())

    way.restore()
    await until(isListening)
    t.equal(await statusOf(`${worker.publicUrl}/readyz`), 200)
  })

  t.test('a worker outlives the end of every connection to its database', async (t) => {
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(db)

    await until(async () => (await push(http.publicUrl, 'A-7')) < 300)
    await until(() => provider.received.length === 7)
    await until(isListening)
    t.pass('delivered, and listening again')
  })

  t.test('both end in order', async (t) => {
    http.kill('SIGTERM')
    worker.kill('SIGTERM')

    t.strictSame(await Promise.all([http.ended, worker.ended]), [
      { code: 0, signal: null },
      { code: 0, signal: null },
    ])
    t.strictSame([http.stderr(), worker.stderr()], ['', ''])
  })
})
