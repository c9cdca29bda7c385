// A whole service whose database goes away in every way there is, and comes back: it says so meanwhile, does not hammer at the
// door, acknowledges nothing, and goes on by itself.
import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import { Agent, request } from 'undici'
import { startService } from '../../src/commands/start-service.ts'
import { loadConfig } from '../../src/config.ts'
import type { Db } from '../../src/store/database.ts'
import { createListeningLogger } from '../deliver/delivery-fixture.ts'
import type { LogLine } from '../deliver/delivery-fixture.ts'
import { openBreakableWay } from '../support/breakable-way.ts'
import type { BreakableWay } from '../support/breakable-way.ts'
import { createTestDatabase } from '../support/database.ts'
import { until } from '../support/ledger.ts'
import { sendJson, serve } from '../support/local-server.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

const KEY = 'dispatch-key-of-this-test'
/** Longer than anything waits before it tries again, on a busy machine. */
const BACK_MS = 30_000

t.setTimeout(100_000)

interface Fixture {
  readonly way: BreakableWay
  /** By a way that never breaks. */
  readonly db: Db
  readonly lines: readonly LogLine[]
  readonly delivered: () => number
  readonly push: (activityId: string) => Promise<{ readonly statusCode: number; readonly retryAfter: unknown }>
  readonly readiness: () => Promise<number>
  /** The service takes in and delivers again, as if nothing had been. */
  readonly assertWell: (t: Test, activityId: string) => Promise<void>
}

/** A service in this process, on a way to its database that the test can break. */
async function startAlone(t: Test): Promise<Fixture> {
  const { url } = await createTestDatabase(t)
  const { db } = await openTestDatabase(t, url)
  const way = await openBreakableWay(t, url)
  const provider = await serve(t, (response, _request, number) => sendJson(response, 201, { id: `T-${number}` }))
  const sender = new Agent()
  t.teardown(() => sender.destroy())
  const { logger, lines } = createListeningLogger()
  const config = loadConfig({
    DATABASE_URL: way.url,
    HOST: '127.0.0.1',
    PORT: '0',
    OPS_PORT: '0',
    DISPATCH_API_KEY: KEY,
    PROVIDER: 'webhook',
    WEBHOOK_URL: `${provider.origin}/tasks`,
  })
  const service = await startService({ config, logger })
  t.teardown(async () => {
    way.restore()
    await service.stop()
  })
  const push: Fixture['push'] = async (activityId) => {
    const { statusCode, headers, body } = await request(`${service.publicUrl}/activities`, {
      dispatcher: sender,
      method: 'POST',
      headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
      body: JSON.stringify({ id: activityId, commerce: { externalId: 'C-1' } }),
    })
    await body.dump()
    return { statusCode, retryAfter: headers['retry-after'] }
  }
  const readiness: Fixture['readiness'] = async () => {
    const { statusCode, body } = await request(`${service.publicUrl}/readyz`, { dispatcher: sender })
    await body.dump()
    return statusCode
  }
  const delivered = (): number => provider.received.length
  const assertWell: Fixture['assertWell'] = async (t, activityId) => {
    await until(async () => (await readiness()) === 200, BACK_MS)
    await until(async () => [200, 201].includes((await push(activityId)).statusCode), BACK_MS)
    await until(async () => (await db.selectFrom('jobs').select('id').execute()).length === 0, BACK_MS)
    const { rows } = await sql`select from dispatches where state <> 'delivered'`.execute(db)
    t.equal(rows.length, 0, 'all is delivered')
  }
  await until(async () => (await readiness()) === 200)
  return { way, db, lines, delivered, push, readiness, assertWell }
}

t.test('a service whose database goes away', async (t) => {
  t.jobs = 3

  t.test('by refusing connections: says so, tries now and then, and goes on when it is back', async (t) => {
    const { way, lines, push, readiness, assertWell, delivered } = await startAlone(t)
    way.close()
    const awaySinceMs = performance.now()

    t.match(await push('A-1'), { statusCode: 503, retryAfter: /\d+/ })
    t.equal(await readiness(), 503)
    await until(() => lines.some((line) => line['event'] === 'worker.claim_failed' && line['backoffMs'] === 800))
    const seconds = (performance.now() - awaySinceMs) / 1_000
    // Two loops that wait longer each time, LISTEN, leases, and what runs every two, five and ten seconds.
    t.ok(way.refusals() < 30 + 10 * seconds, `${way.refusals()} attempts in ${seconds} s`)

    way.restore()
    await assertWell(t, 'A-1')
    t.equal(delivered(), 1)
  })

  t.test('by falling silent: answers 503 within seconds all the same, and goes on when it speaks again', async (t) => {
    const { way, db, push, readiness, assertWell, delivered } = await startAlone(t)
    t.equal((await push('A-1')).statusCode, 201)
    await until(() => delivered() === 1)
    way.stall()

    const startedAt = performance.now()
    const answers = await Promise.all(['A-2', 'A-3', 'A-4'].map(push))
    const seconds = (performance.now() - startedAt) / 1_000

    for (const answer of answers) t.match(answer, { statusCode: 503, retryAfter: /\d+/ })
    t.ok(seconds < 9, `${seconds} s: before Reten gives up`)
    t.equal(await readiness(), 503)
    way.restore()
    for (const name of ['A-2', 'A-3', 'A-4', 'A-5']) await assertWell(t, name)
    t.equal(delivered(), 5, 'each once')
    t.match(await db.selectFrom('dispatches').select('activity_id').execute(), { length: 5 })
  })

  t.test('by a fail-over: leaves the server that takes no writes for the one that does', async (t) => {
    const { db, push, readiness, assertWell, delivered } = await startAlone(t)
    const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db)
    const name = sql.id(rows[0]?.name ?? '')
    const endAll = () =>
      sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`.execute(db)
    await sql`alter database ${name} set default_transaction_read_only = on`.execute(db)
    await endAll()

    await until(async () => (await readiness()) === 503)
    t.match(await push('A-1'), { statusCode: 503, retryAfter: /\d+/ })

    await sql`set session characteristics as transaction read write`.execute(db)
    await sql`set default_transaction_read_only = off`.execute(db)
    await sql`alter database ${name} reset default_transaction_read_only`.execute(db)
    // Nobody ends the connections this time: they lead to the server that was the primary.
    await assertWell(t, 'A-1')
    t.equal(delivered(), 1)
  })
})
