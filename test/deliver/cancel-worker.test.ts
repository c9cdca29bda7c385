// Cancellations as the worker runs them: claimed from a real database, asked of an adapter that the test writes.
import t from 'tap'
import type { Test } from 'tap'
import { createAdapterPool } from '../../src/deliver/adapter-pool.ts'
import type { Adapter, CancelCommand } from '../../src/deliver/adapters/adapter.ts'
import { createCancelWorker } from '../../src/deliver/cancel-worker.ts'
import type { CancelOutcome } from '../../src/dispatch/outcome.ts'
import { createHttpClient } from '../../src/http-client.ts'
import { createMetrics } from '../../src/metrics.ts'
import { cancelDispatch } from '../../src/store/cancel-dispatch.ts'
import { createConnectionCatalog } from '../../src/store/connection-catalog.ts'
import { createLeaseKeeper } from '../../src/store/lease-keeper.ts'
import { settleDelivered } from '../../src/store/settle-delivery.ts'
import { systemClock } from '../../src/time.ts'
import {
  addConnection,
  buildAttempt,
  claimOne,
  deliver,
  makeAllDue,
  openLedger,
  readStory,
  recordEvent,
  secondsUntil,
  storeDispatch,
  tells,
} from '../support/ledger.ts'
import { createListeningLogger, setUp } from './delivery-fixture.ts'
import { SCRIPTED_PROVIDER, scripts } from './scripted-module.ts'

const { db } = await openLedger(t)

type Cancel = (command: CancelCommand, signal: AbortSignal) => CancelOutcome | Promise<CancelOutcome>

const cancel = (id: string) => cancelDispatch(db, { id, source: 'operator', reason: 'why', author: { actor: 'otto' } })

/** A worker whose provider cancels as `script` says, or cannot where there is none. */
async function setUpWorker(t: Test, script?: Cancel) {
  const commands: CancelCommand[] = []
  const name = `${t.name} ${Math.random()}`
  const asked: NonNullable<Adapter['cancel']> = async (command, signal) => {
    commands.push(command)
    return script?.(command, signal) ?? { kind: 'canceled' }
  }
  scripts.set(name, () => ({
    provider: 'scripted',
    capabilities: { idempotency: 'key', completion: 'webhook' },
    deliver: async () => ({ kind: 'accepted' }),
    ...(script === undefined ? {} : { cancel: asked }),
    close: async () => {},
  }))
  await db.deleteFrom('connections').execute()
  const settings = { retry_delays: [20, 30] }
  await addConnection(db, 'acme', { provider: SCRIPTED_PROVIDER, providerSettings: { script: name }, settings })
  const { logger, lines } = createListeningLogger()
  const catalog = createConnectionCatalog({ db, config: { environmentConnection: undefined, secretsKeys: [] }, logger })
  await catalog.refresh()
  const shared = { clock: systemClock, random: () => 0.5, logger }
  const adapters = createAdapterPool({
    ...shared,
    createHttp: () => createHttpClient(),
    resultTypes: async () => [],
    attributes: async () => [],
  })
  t.teardown(() => adapters.close())
  const metrics = createMetrics({ withNodeMetrics: false })
  const onConnectionChanged = (): void => {}
  const worker = createCancelWorker({
    ...shared,
    db,
    catalog,
    adapters,
    leases: createLeaseKeeper({ db, worker: 'worker-a', logger }),
    metrics,
    worker: 'worker-a',
    onConnectionChanged,
  })
  return { worker, catalog, commands, lines, metrics }
}

const said = { code: 'http_409', message: 'the task is done' }
const NOTHING = { providerTaskId: undefined, result: undefined }

t.test('createCancelWorker', async (t) => {
  t.test('asks the provider by every id it may know the task by, and says what came of it', async (t) => {
    const { worker, commands, metrics } = await setUpWorker(t, () => ({ kind: 'canceled', exchange: { status: 200 } }))
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await cancel(id)

    t.equal(await worker.runOnce(), 1)

    t.same(commands, [
      { connection: 'acme', dispatchId: id, activityId: 'A-1', idempotencyKey: id, providerTaskId: 'T-1' },
    ])
    tells(t, await readStory(db, id), {
      dispatch: { state: 'canceled', cancellation: 'canceled', finished_at: Date },
      attempts: [{ kind: 'deliver' }, { kind: 'cancel', outcome: 'canceled', http_status: 200, number: 1 }],
    })
    t.same(await db.selectFrom('jobs').selectAll().execute(), [])
    t.match(
      await metrics.expose(),
      /attempts_total\{connection="acme",kind="cancel",outcome="canceled",code="none"\} 1/,
    )
  })

  for (const [sentence, outcome, story] of [
    ['it is done', { kind: 'too_late', ...said }, { dispatch: { state: 'delivered', cancellation: 'too_late' } }],
    ['it refuses', { kind: 'rejected', ...said }, { dispatch: { state: 'delivered', cancellation: 'refused' } }],
  ] as const) {
    t.test(`leaves it delivered where the provider says that ${sentence}`, async (t) => {
      const { worker, lines } = await setUpWorker(t, () => outcome)
      const id = await storeDispatch(db)
      await deliver(db, 'T-1')
      await cancel(id)

      await worker.runOnce()

      tells(t, await readStory(db, id), {
        ...story,
        attempts: [{ kind: 'deliver' }, { kind: 'cancel', outcome: outcome.kind, error_message: 'the task is done' }],
      })
      const level = outcome.kind === 'rejected' ? 'error' : 'info'
      t.match(lines.at(-1), { level, dispatchId: id, activityId: 'A-1' })
    })
  }

  t.test('says so where the provider cancels nothing', async (t) => {
    const { worker, lines } = await setUpWorker(t)
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await cancel(id)

    await worker.runOnce()

    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered', cancellation: 'unsupported' },
      attempts: [{ kind: 'deliver' }, { outcome: 'unsupported', error_code: 'cancel_unsupported' }],
    })
    t.match(lines.at(-1), { event: 'cancel.failed', code: 'cancel_unsupported' })
  })

  t.test('asks again later where the answer was lost, and gives up when the tries are used up', async (t) => {
    const { worker, commands } = await setUpWorker(t, () => ({ kind: 'ambiguous', ...said }))
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await cancel(id)

    await worker.runOnce()
    const job = await db.selectFrom('jobs').selectAll().executeTakeFirstOrThrow()
    t.match(job, { kind: 'cancel', attempts: 1, leased_until: null })
    t.equal(Math.round(await secondsUntil(db, job.due_at)), 20)
    for (let turn = 0; turn < 2; turn += 1) {
      await makeAllDue(db)
      await worker.runOnce()
    }

    t.equal(commands.length, 3)
    tells(t, await readStory(db, id), { dispatch: { state: 'delivered', cancellation: 'gave_up' } })
  })

  t.test('pauses the connection where the provider refuses our key, and charges nobody', async (t) => {
    const { worker } = await setUpWorker(t, () => ({ kind: 'unauthorized', code: 'http_401', message: 'who are you' }))
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await cancel(id)

    await worker.runOnce()

    t.match(await db.selectFrom('jobs').selectAll().execute(), [{ kind: 'cancel', attempts: 0, leased_until: null }])
    t.match(await db.selectFrom('connections').selectAll().execute(), [
      { state: 'paused', state_reason: 'who are you' },
    ])
    await makeAllDue(db)
    t.equal(await worker.runOnce(), 0, 'a paused connection is asked nothing')
  })

  t.test('stops no delivery where the key may not cancel: a person is told instead', async (t) => {
    const exchange = { status: 403 }
    const refusal = { kind: 'unauthorized', code: 'http_403', message: 'this key may not cancel', exchange } as const
    const { worker, lines } = await setUpWorker(t, () => refusal)
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await cancel(id)

    await worker.runOnce()

    t.match(await db.selectFrom('connections').selectAll().execute(), [{ state: 'active', refusals: 0 }])
    t.same(await db.selectFrom('jobs').selectAll().execute(), [])
    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered', cancellation: 'refused' },
      attempts: [{ kind: 'deliver' }, { kind: 'cancel', outcome: 'unauthorized', error_code: 'http_403' }],
    })
    t.match(lines.at(-1), { event: 'cancel.failed', code: 'http_403' })
  })

  t.test('waits for no adapter that is never built: others are asked all the same', async (t) => {
    const { worker, catalog } = await setUpWorker(t, () => ({ kind: 'canceled' }))
    const script = `${t.name} never`
    scripts.set(script, () => new Promise<never>(() => {}))
    await addConnection(db, 'abc', { provider: SCRIPTED_PROVIDER, providerSettings: { script } })
    await catalog.refresh()
    const stuck = await storeDispatch(db, 'A-1', { connection: 'abc' })
    await settleDelivered(db, buildAttempt(await claimOne(db, 'deliver', { connection: 'abc' })), NOTHING)
    const id = await storeDispatch(db, 'A-2')
    await deliver(db, 'T-1')
    await cancel(stuck)
    await cancel(id)

    t.equal(await worker.runOnce(), 1)

    tells(t, await readStory(db, id), { dispatch: { state: 'canceled', cancellation: 'canceled' } })
    tells(t, await readStory(db, stuck), { dispatch: { state: 'delivered', cancellation: 'requested' } })
  })

  t.test('gives it back, uncharged, after a fault of ours', async (t) => {
    const { worker, lines } = await setUpWorker(t, () => Promise.reject(new TypeError('a bug')))
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await cancel(id)

    await worker.runOnce()

    t.match(await db.selectFrom('jobs').selectAll().execute(), [{ kind: 'cancel', attempts: 0, leased_until: null }])
    t.match(lines.at(-1), { event: 'cancel.fault' })
  })

  t.test('takes what is no outcome for a fault of ours', async (t) => {
    // As a module written in JavaScript may: an acceptance says nothing of a cancellation.
    const { worker, lines } = await setUpWorker(t, () => ({ kind: 'accepted' }) as unknown as CancelOutcome)
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await cancel(id)

    await worker.runOnce()

    t.match(lines.at(-1), { event: 'cancel.fault', err: { message: /"accepted"/ } })
    t.match((await readStory(db, id)).dispatch, { cancellation: 'requested' })
  })

  t.test('asks nothing where a final event was applied before it looked', async (t) => {
    const { worker, commands } = await setUpWorker(t, () => ({ kind: 'canceled' }))
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await cancel(id)
    // As if the event had come between the claim and the look: the job is still there.
    const job = await db.selectFrom('jobs').selectAll().executeTakeFirstOrThrow()
    await recordEvent(db, id)
    await db.deleteFrom('jobs').where('kind', '=', 'report').execute()
    await db
      .insertInto('jobs')
      .values({ kind: 'cancel', connection: 'acme', dispatch_id: id, commerce_id: job.commerce_id, seq: job.seq })
      .execute()

    await worker.runOnce()

    t.same(commands, [])
    t.same(await db.selectFrom('jobs').selectAll().execute(), [])
    t.match((await readStory(db, id)).dispatch, { state: 'delivered', cancellation: 'too_late' })
  })
})

t.test('deliverOne of a dispatch that was cancelled', async (t) => {
  t.test('while it was under way tells of it, and has the task cancelled', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, {
      deliver: async () => {
        await cancel(id)
        return { kind: 'accepted', providerTaskId: 'T-1' }
      },
    })

    await bench.run()

    t.same(bench.told, ['cancel due'])
    t.match(bench.lines.at(-1), { event: 'delivery.canceled', dispatchId: id, settled: 'canceled' })
    t.match(await db.selectFrom('jobs').selectAll().execute(), [{ kind: 'cancel', leased_until: null }])
  })

  t.test('before it began calls nobody', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, { deliver: () => ({ kind: 'accepted' }) })
    const job = await claimOne(db)
    await cancel(id)

    await bench.runClaimed(job)

    t.same(bench.adapter.calls, [])
    t.same(await db.selectFrom('jobs').selectAll().execute(), [])
    t.match((await readStory(db, id)).dispatch, { state: 'canceled', cancellation: null })
  })
})
