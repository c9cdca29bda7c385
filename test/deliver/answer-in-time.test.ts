// Adapters that do not come back when they are told to: their jobs are settled all the same.
import t from 'tap'
import { buildGuards } from '../../src/commands/build-guards.ts'
import { FAULTS_TO_OPEN } from '../../src/breakers.ts'
import { cancelOne } from '../../src/deliver/cancel-one.ts'
import { guardAdapter } from '../../src/deliver/guarded-adapter.ts'
import { createSilentLogger } from '../../src/logger.ts'
import { createMetrics } from '../../src/metrics.ts'
import { cancelDispatch } from '../../src/store/cancel-dispatch.ts'
import { loadCancellations } from '../../src/store/load-cancellations.ts'
import { systemClock } from '../../src/time.ts'
import { claimOne, deliver, openLedger, readStory, storeDispatch, tells } from '../support/ledger.ts'
import { buildConnection, createScriptedAdapter, setUp } from './delivery-fixture.ts'

const { db } = await openLedger(t)

const never = (): Promise<never> => new Promise(() => {})
const neverCut = new AbortController().signal
const SHARED = { db, clock: systemClock, random: () => 0.5, logger: createSilentLogger() }

t.test('an adapter that does not heed its signal', async (t) => {
  t.test('has its delivery taken for one of unknown fate, charged, a second after its deadline', async (t) => {
    const id = await storeDispatch(db)
    const stuck = createScriptedAdapter({ deliver: never })
    const adapter = guardAdapter(buildGuards(SHARED).deliver, buildConnection(), stuck, neverCut)
    // Through the guard, as the worker has it.
    const bench = setUp(db, { deliver: (command, signal) => adapter.deliver(command, signal), deadlineMs: 100 })

    await bench.run()

    tells(t, await readStory(db, id), {
      job: { attempts: 1, is_fate_unknown: true, leased_until: null },
      attempts: [{ outcome: 'ambiguous', error_code: 'adapter_stuck' }],
    })
  })

  t.test('does not keep the breaker half-open: its next probe has its turn', async (t) => {
    const { deliver: guards } = buildGuards(SHARED)
    const connection = buildConnection()
    const stuck = createScriptedAdapter({ deliver: never })
    const adapter = guardAdapter(guards, connection, stuck, neverCut)
    const command = { ...COMMAND, connection: connection.name }

    const calls = Array.from({ length: FAULTS_TO_OPEN }, () => adapter.deliver(command, AbortSignal.abort()))

    t.match(
      await Promise.all(calls),
      calls.map(() => ({ kind: 'ambiguous', code: 'adapter_stuck' })),
    )
    t.equal(guards.breakers.state(connection.name), 'open', 'each of them is a fault of the destination')
  })

  t.test('has its cancellation asked for again', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await cancelDispatch(db, { id, source: 'operator', reason: 'why', author: { actor: 'otto', requestId: undefined } })
    const job = await claimOne(db, 'cancel')
    const adapter = { ...createScriptedAdapter({ deliver: never }), cancel: never }
    const deps = {
      ...SHARED,
      metrics: createMetrics({ withNodeMetrics: false }),
      worker: 'w',
      onConnectionChanged: () => {},
    }
    const cancellable = (await loadCancellations(db, [id])).get(id)
    const stopped = AbortSignal.timeout(50)

    await cancelOne(deps, { job, connection: buildConnection(), adapter, cancellable, lease: neverCut }, stopped)

    t.match(await db.selectFrom('jobs').selectAll().execute(), [{ kind: 'cancel', attempts: 0, leased_until: null }])
  })
})

const COMMAND = {
  dispatchId: '00000000-0000-8000-8000-000000000000',
  idempotencyKey: 'k',
  activity: {} as never, // nobody reads it
  body: {},
}
