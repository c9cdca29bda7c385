import { sql } from 'kysely'
import t from 'tap'
import { FAULTS_TO_OPEN } from '../../src/breakers.ts'
import { openLedger, storeDispatch, until } from '../support/ledger.ts'
import { sendJson, serve } from '../support/local-server.ts'
import { addWebhook, createInstance, start } from './instance-fixture.ts'

const { db } = await openLedger(t)

async function store(count: number, connection = 'hook'): Promise<void> {
  for (let number = 0; number < count; number += 1) await storeDispatch(db, `A-${number}`, { connection })
}

const listJobs = () => db.selectFrom('jobs').selectAll().execute()
const isDone = async (): Promise<boolean> => (await listJobs()).length === 0

void t.test('a connection’s rate', async (t) => {
  await t.test('is kept by two workers together', async (t) => {
    const startedMs = performance.now()
    const beganMs: number[] = []
    const provider = await serve(t, (response) => {
      beganMs.push(performance.now())
      sendJson(response, 200, {})
    })
    await addWebhook(db, 'hook', provider.origin, { rate_per_second: 20, max_in_flight: 50 })
    await store(45)

    for (const instance of [await createInstance(t, db), await createInstance(t, db)]) start(t, instance)
    await until(isDone, 30_000) // 1.25 s, or as long as a busy machine takes

    t.equal(beganMs.length, 45)
    // From the first on, since a call may take a moment to arrive but none arrives before it was begun.
    for (const [number, ms] of beganMs.entries()) {
      const allowed = 20 + (20 * (ms - startedMs)) / 1_000
      if (number + 1 > allowed) t.fail(`${number + 1} begun where ${allowed} were allowed`)
    }
  })
})

void t.test('a provider that says "slower"', async (t) => {
  await t.test('is left alone by every instance, and nobody is charged', async (t) => {
    const provider = await serve(t, (response) => sendJson(response, 429, {}, { 'retry-after': '60' }))
    await addWebhook(db, 'hook', provider.origin, { max_in_flight: 2 })
    await store(12)
    const one = await createInstance(t, db)
    const other = await createInstance(t, db)

    t.equal(await one.worker.runOnce(), 2)
    await until(async () => (await db.selectFrom('connection_budgets').select('closed_until').execute()).length === 1)
    t.equal(await one.worker.runOnce(), 0)
    t.equal(await other.worker.runOnce(), 0)

    t.equal(provider.received.length, 2, 'those that were under way')
    const jobs = await listJobs()
    t.equal(jobs.filter((job) => job.attempts > 0).length, 0)
    t.equal(jobs.filter((job) => job.claim_no === 0).length, 10, 'the others were not even claimed')
    t.equal(one.guards.breakers.state('hook'), 'closed', 'it is an answer')
  })

  await t.test('may say it with a success', async (t) => {
    const provider = await serve(t, (response) => sendJson(response, 201, {}, { ratelimit: '"minute";r=0;t=30' }))
    await addWebhook(db, 'hook', provider.origin, { max_in_flight: 1 })
    await store(3)
    const { worker } = await createInstance(t, db)

    t.strictSame([await worker.runOnce(), await worker.runOnce()], [1, 0])
  })

  await t.test('is called again, without anybody’s help, once its time is over', async (t) => {
    const provider = await serve(t, (response, _request, number) => {
      if (number === 1) sendJson(response, 429, {}, { 'retry-after': '1' })
      else sendJson(response, 200, {})
    })
    await addWebhook(db, 'hook', provider.origin, { max_in_flight: 1 })
    await store(3)
    start(t, await createInstance(t, db))

    await until(isDone)

    t.equal(provider.received.length, 4)
  })
})

void t.test('a provider that fails', async (t) => {
  await t.test('is left alone, its dispatches unclaimed, until a probe finds it well', async (t) => {
    let isWell = false
    const provider = await serve(t, (response) => sendJson(response, isWell ? 200 : 503, {}))
    await addWebhook(db, 'hook', provider.origin, { max_in_flight: 4, retry_delays: [600, 600] })
    await store(40)
    const instance = await createInstance(t, db, { openForMs: [300] })
    start(t, instance)
    await until(() => instance.guards.breakers.state('hook') === 'open')
    const failed = provider.received.length
    t.ok(failed >= FAULTS_TO_OPEN && failed < FAULTS_TO_OPEN + 4, `${failed} calls, those under way included`)
    const untouched = (await listJobs()).filter((job) => job.claim_no === 0 && job.attempts === 0)
    t.equal(untouched.length, 40 - failed, 'no claim that is given back')

    isWell = true
    await until(() => instance.guards.breakers.state('hook') === 'closed')
    await sql`update jobs set due_at = now()`.execute(db)
    await until(isDone)

    t.match(
      instance.lines.filter(({ event }) => String(event).startsWith('breaker.')).map(({ event }) => event),
      ['breaker.opened', 'breaker.closed'],
    )
  })

  await t.test('gets one delivery at a time while it is being probed', async (t) => {
    let openCalls = 0
    let mostOpenCalls = 0
    const answers: (() => void)[] = []
    const provider = await serve(t, (response, _request, number) => {
      if (number <= FAULTS_TO_OPEN) {
        sendJson(response, 503, {})
        return
      }
      openCalls += 1
      mostOpenCalls = Math.max(mostOpenCalls, openCalls)
      answers.push(() => {
        openCalls -= 1
        sendJson(response, 503, {})
      })
    })
    await addWebhook(db, 'hook', provider.origin, { max_in_flight: 1, retry_delays: [600, 600] })
    await store(20)
    await sql`update connections set settings = jsonb_set(settings, '{max_in_flight}', '8')`.execute(db)
    const instance = await createInstance(t, db, { openForMs: [50] })
    for (let call = 0; call < FAULTS_TO_OPEN; call += 1) {
      await instance.guards.breakers
        .run(
          { name: 'hook', version: await versionOf('hook') },
          async () => ({ kind: 'retry', code: 'http_503', message: 'a test' }),
          new AbortController().signal,
        )
        .catch(() => {})
    }
    start(t, instance)

    for (let probe = 0; probe < 3; probe += 1) {
      await until(() => answers.length === 1)
      instance.worker.nudge()
      answers.shift()?.()
    }

    t.equal(mostOpenCalls, 1)
  })

  await t.test('is not blamed for what it refuses, nor for keys it does not know', async (t) => {
    const provider = await serve(t, (response) => sendJson(response, 422, { message: 'no such commerce' }))
    await addWebhook(db, 'hook', provider.origin, { max_in_flight: 20 })
    await store(FAULTS_TO_OPEN * 2)
    const instance = await createInstance(t, db)

    t.equal(await instance.worker.runOnce(), FAULTS_TO_OPEN * 2)

    t.equal(instance.guards.breakers.state('hook'), 'closed')
  })
})

async function versionOf(name: string): Promise<string> {
  const row = await db.selectFrom('connections').select('updated_at').where('name', '=', name).executeTakeFirstOrThrow()
  return row.updated_at.toISOString()
}
