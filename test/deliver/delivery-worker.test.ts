import { sql } from 'kysely'
import t from 'tap'
import { buildGuards } from '../../src/commands/build-guards.ts'
import { createAdapterPool } from '../../src/deliver/adapter-pool.ts'
import { createDeliveryWorker } from '../../src/deliver/delivery-worker.ts'
import type { Outcome } from '../../src/dispatch/outcome.ts'
import { createHttpClient } from '../../src/http-client.ts'
import { createMetrics } from '../../src/metrics.ts'
import { createConnectionCatalog } from '../../src/store/connection-catalog.ts'
import { createLeaseKeeper } from '../../src/store/lease-keeper.ts'
import { pauseConnection } from '../../src/store/pause-connection.ts'
import { systemClock } from '../../src/time.ts'
import { addConnection, claimOne, openLedger, readStory, storeDispatch, until } from '../support/ledger.ts'
import { createListeningLogger, createScriptedAdapter, untilGivenUp } from './delivery-fixture.ts'
import type { ScriptedAdapter } from './delivery-fixture.ts'
import { SCRIPTED_PROVIDER, scripts } from './scripted-module.ts'

const { db } = await openLedger(t)
const http = createHttpClient()
t.teardown(() => http.close())

type Deliver = Parameters<typeof createScriptedAdapter>[0]['deliver']

const ACCEPTED: Outcome = { kind: 'accepted' }
const UNAUTHORIZED: Outcome = { kind: 'unauthorized', code: 'http_401', message: 'who are you' }

let scriptNo = 0

/** A connection whose provider does as told. */
async function addScripted(name: string, deliver: Deliver, settings: object = {}): Promise<ScriptedAdapter> {
  const script = `${name}-${(scriptNo += 1)}`
  const adapter = createScriptedAdapter({ deliver })
  scripts.set(script, () => adapter)
  await addConnection(db, name, {
    provider: SCRIPTED_PROVIDER,
    providerSettings: { script },
    settings: { ...settings },
  })
  return adapter
}

/** The worker over the database's connections as they are now. */
async function createWorker() {
  const { logger, lines } = createListeningLogger()
  const config = { environmentConnection: undefined, secretsKeys: [] }
  const catalog = createConnectionCatalog({ db, config, logger })
  await catalog.refresh()
  const { deliver: guards } = buildGuards({ db, clock: systemClock, random: () => 0, logger })
  const adapters = createAdapterPool({
    createHttp: (name) => guards.holdOffs.watch(http, name),
    clock: systemClock,
    random: Math.random,
    logger,
    resultTypes: async () => [],
    attributes: async () => [],
  })
  const worker = createDeliveryWorker({
    db,
    catalog,
    adapters,
    guards,
    clock: systemClock,
    random: Math.random,
    logger,
    metrics: createMetrics({ withNodeMetrics: false }),
    worker: 'worker-a',
    leases: createLeaseKeeper({ db, worker: 'worker-a', logger }),
    onReportDue: () => {},
    onCancelDue: () => {},
    onConnectionChanged: () => {},
  })
  return { worker, catalog, lines, guards }
}

t.test('createDeliveryWorker', async (t) => {
  t.test('delivers what is due, of every connection', async (t) => {
    const one = await addScripted('one', () => ACCEPTED)
    const other = await addScripted('other', () => ACCEPTED)
    await storeDispatch(db, 'A-1', { connection: 'one' })
    await storeDispatch(db, 'A-2', { connection: 'one' })
    await storeDispatch(db, 'A-3', { connection: 'other' })
    const { worker } = await createWorker()

    t.equal(await worker.runOnce(), 3)
    t.equal(await worker.runOnce(), 0)
    t.strictSame([one.calls.length, other.calls.length], [2, 1])
  })

  t.test('has no more under way than the connection takes', async (t) => {
    await addScripted('one', () => ACCEPTED, { max_in_flight: 2 })
    for (const activity of ['A-1', 'A-2', 'A-3']) await storeDispatch(db, activity, { connection: 'one' })
    const { worker } = await createWorker()

    t.strictSame([await worker.runOnce(), await worker.runOnce()], [2, 1])
  })

  t.test('goes on with the others while one connection’s credentials are not good', async (t) => {
    const bad = await addScripted('bad', () => UNAUTHORIZED, { max_in_flight: 1 })
    const good = await addScripted('good', () => ACCEPTED)
    const waiting = await storeDispatch(db, 'A-1', { connection: 'bad' })
    await storeDispatch(db, 'A-2', { connection: 'bad' })
    await storeDispatch(db, 'A-3', { connection: 'good' })
    const { worker, catalog } = await createWorker()
    await worker.runOnce()
    await catalog.refresh()
    await sql`update jobs set due_at = now()`.execute(db)
    await storeDispatch(db, 'A-4', { connection: 'good' })

    await worker.runOnce()

    t.equal(bad.calls.length, 1, 'one refusal is enough')
    t.equal(good.calls.length, 2)
    t.match((await readStory(db, waiting)).job, { attempts: 0, leased_until: null })
  })

  t.test('delivers what waited once the connection is resumed', async (t) => {
    let outcome: Outcome = UNAUTHORIZED
    await addScripted('acme-2', () => outcome)
    const id = await storeDispatch(db, 'A-1', { connection: 'acme-2' })
    const { worker, catalog } = await createWorker()
    await worker.runOnce()
    outcome = ACCEPTED
    await sql`update connections set state = 'active', state_reason = null`.execute(db)
    await sql`update jobs set due_at = now()`.execute(db)
    await catalog.refresh()

    t.equal(await worker.runOnce(), 1)
    t.equal((await readStory(db, id)).dispatch.state, 'delivered')
  })

  t.test('claims nothing for a connection that was paused since it was looked at', async (t) => {
    await addScripted('one', () => ACCEPTED)
    await storeDispatch(db, 'A-1', { connection: 'one' })
    const { worker } = await createWorker()
    const { updated_at } = await db
      .selectFrom('connections')
      .select('updated_at')
      .where('name', '=', 'one')
      .executeTakeFirstOrThrow()
    const version = updated_at.toISOString()
    t.ok(await pauseConnection(db, { name: 'one', side: 'deliveries', reason: 'a test', version, actor: 'w' }))

    t.equal(await worker.runOnce(), 0)
  })

  t.test('leaves the dispatches of a connection waiting that has no adapter', async (t) => {
    await addConnection(db, 'broken', { provider: './no-such-module.ts' })
    await addScripted('one', () => ACCEPTED)
    const id = await storeDispatch(db, 'A-1', { connection: 'broken' })
    await storeDispatch(db, 'A-2', { connection: 'one' })
    const { worker } = await createWorker()

    t.equal(await worker.runOnce(), 1)
    t.match((await readStory(db, id)).job, { attempts: 0, claim_no: 0 })
  })

  t.test('goes on with the others while one connection’s adapter takes long to build', async (t) => {
    const built = Promise.withResolvers<ScriptedAdapter>()
    await addScripted('slow', () => ACCEPTED)
    scripts.set(`slow-${scriptNo}`, () => built.promise)
    const adapter = await addScripted('one', () => ACCEPTED)
    await storeDispatch(db, 'A-1', { connection: 'slow' })
    await storeDispatch(db, 'A-2', { connection: 'one' })
    const { worker } = await createWorker()

    t.equal(await worker.runOnce(), 1)

    t.equal(adapter.calls.length, 1)
    built.resolve(createScriptedAdapter({ deliver: () => ACCEPTED }))
    await until(async () => (await worker.runOnce()) === 1)
  })

  t.test('makes a connection wait whose provider said "slower" in whatever way, without a charge', async (t) => {
    const THROTTLED: Outcome = { kind: 'throttled', code: 'quota', message: 'too many', retryAfterMs: 30_000 }
    const adapter = await addScripted('one', () => THROTTLED, { max_in_flight: 1 })
    await storeDispatch(db, 'A-1', { connection: 'one' })
    await storeDispatch(db, 'A-2', { connection: 'one' })
    const { worker, guards } = await createWorker()

    t.strictSame([await worker.runOnce(), await worker.runOnce()], [1, 0])

    t.equal(adapter.calls.length, 1)
    t.ok(guards.holdOffs.remainingMs('one') > 25_000)
    t.equal(guards.breakers.state('one'), 'closed')
  })

  t.test('gives back what it claimed and could not begin, without a doubt', async (t) => {
    await addScripted('one', () => ACCEPTED)
    const id = await storeDispatch(db, 'A-1', { connection: 'one' })
    const { worker } = await createWorker()
    await sql`alter table dispatch_bodies rename to hidden`.execute(db)
    t.teardown(() => sql`alter table if exists hidden rename to dispatch_bodies`.execute(db))

    await t.rejects(worker.runOnce(), { code: '42P01' })

    await sql`alter table hidden rename to dispatch_bodies`.execute(db)
    t.match((await readStory(db, id)).job, { leased_until: null, is_fate_unknown: false, crashes: 0, attempts: 0 })
  })

  t.test('lets a delivery that is under way come to its end before it stops', async (t) => {
    const answer = Promise.withResolvers<Outcome>()
    const adapter = await addScripted('one', () => answer.promise)
    const id = await storeDispatch(db, 'A-1', { connection: 'one' })
    const { worker } = await createWorker()
    void worker.start()
    await until(() => adapter.calls.length === 1)

    const stopped = worker.stop()
    answer.resolve(ACCEPTED)
    await stopped

    t.equal((await readStory(db, id)).dispatch.state, 'delivered')
  })

  t.test('wakes for the next one as soon as a slot is free', async (t) => {
    const answers = [Promise.withResolvers<Outcome>(), Promise.withResolvers<Outcome>()]
    const adapter = await addScripted('one', () => answers[adapter.calls.length - 1]?.promise ?? ACCEPTED, {
      max_in_flight: 1,
    })
    await storeDispatch(db, 'A-1', { connection: 'one' })
    await storeDispatch(db, 'A-2', { connection: 'one' })
    const { worker } = await createWorker()
    void worker.start()
    t.teardown(() => worker.stop())
    await until(() => adapter.calls.length === 1)

    answers[0]?.resolve(ACCEPTED)
    answers[1]?.resolve(ACCEPTED)

    await until(async () => (await db.selectFrom('jobs').select('id').execute()).length === 0)
    t.equal(adapter.calls.length, 2)
  })

  t.test('and another one beside it never deliver the same dispatch twice', async (t) => {
    const adapter = await addScripted('one', () => ACCEPTED, { max_in_flight: 1000 })
    for (let number = 0; number < 60; number += 1) await storeDispatch(db, `A-${number}`, { connection: 'one' })
    const workers = [(await createWorker()).worker, (await createWorker()).worker]
    for (const worker of workers) void worker.start()

    await until(async () => (await db.selectFrom('jobs').select('id').execute()).length === 0)
    await Promise.all(workers.map((worker) => worker.stop()))

    t.equal(adapter.calls.length, 60)
    t.equal(new Set(adapter.calls.map((call) => call.key)).size, 60)
  })

  t.test('and another one beside it keep the order per commerce, one after another without a pause', async (t) => {
    const underWay = new Set<unknown>()
    const told = new Map<string, string[]>()
    let calls = 0
    await addScripted(
      'one',
      async ({ activity }) => {
        const { commerceExternalId: commerce, activityId: id } = activity
        t.notOk(underWay.has(commerce), 'one at a time')
        underWay.add(commerce)
        await new Promise((resolve) => setImmediate(resolve))
        underWay.delete(commerce)
        if ((calls += 1) % 7 === 0) return { kind: 'retry', code: 'http_503', message: 'busy' }
        told.set(commerce, [...(told.get(commerce) ?? []), id])
        return ACCEPTED
      },
      { ordering: 'commerce', retry_delays: [0.01, 0.01, 0.01, 0.01] },
    )
    for (let number = 10; number < 40; number += 1) {
      const commerceId = `C-${number % 3}`
      const body = Buffer.from(JSON.stringify({ id: `A-${number}`, commerce: { externalId: commerceId } }))
      await storeDispatch(db, `A-${number}`, { connection: 'one', commerceId, body })
    }
    const workers = [(await createWorker()).worker, (await createWorker()).worker]
    for (const worker of workers) void worker.start()

    await until(async () => (await db.selectFrom('jobs').select('id').execute()).length === 0)
    await Promise.all(workers.map((worker) => worker.stop()))

    t.equal([...told.values()].flat().length, 30)
    for (const ids of told.values()) t.same(ids, ids.toSorted(), 'in the order of arrival')
  })

  t.test('leaves to others what it does not have: a claim of another worker stays', async (t) => {
    await addScripted('one', untilGivenUp(ACCEPTED))
    await storeDispatch(db, 'A-1', { connection: 'one' })
    await claimOne(db, 'deliver', { connection: 'one', worker: 'worker-b' })
    const { worker } = await createWorker()

    t.equal(await worker.runOnce(), 0)
  })
})
