// What the service itself tells Reten of a delivery, from the delivery to Reten's stand-in.
import t from 'tap'
import { createHttpClient } from '../../src/http-client.ts'
import { startRetenSandbox } from '../../src/sandbox/start-reten-sandbox.ts'
import type { ConnectionSettings } from '../../src/schema-types.ts'
import {
  claimAll,
  makeAllDue,
  openLedger,
  readStory,
  recordEvent,
  replay,
  storeDispatch,
  tells,
} from '../support/ledger.ts'
import { setUpReports } from '../report/report-fixture.ts'
import { setUp } from './delivery-fixture.ts'

const { db } = await openLedger(t)
const http = createHttpClient()
t.teardown(() => http.close())
const reten = await startRetenSandbox({ port: 0 })
t.teardown(() => reten.close())

/** Stores a dispatch of an activity of Reten's. */
async function storeOne() {
  const [activity] = reten.createActivities(1)
  if (activity === undefined) throw new Error('no activity was made')
  const { commerce, scheduledAt } = activity
  return { activity, id: await storeDispatch(db, activity.id, { commerceId: commerce.externalId, scheduledAt }) }
}

async function report(): Promise<void> {
  const types = [...reten.ready.tenant.resultTypes.values()].map((type) => ({ ...type }))
  const bench = setUpReports(db, http, reten.url, { apiKey: reten.ready.apiKey, types })
  await makeAllDue(db)
  for (const job of await claimAll(db, 'report')) await bench.runClaimed(job)
}

const ACKNOWLEDGED: ConnectionSettings = { acknowledge_with_pending: true, pending_result: 'NO_CONTACT' }
const refuse = () => ({ kind: 'rejected', code: 'http_422', message: 'no such commerce' }) as const
const accept = () => ({ kind: 'accepted', providerTaskId: 'T-1' }) as const

t.test('a connection that acknowledges with PENDING', async (t) => {
  t.test('tells Reten of the delivery, and then of its end', async (t) => {
    const { id, activity } = await storeOne()
    await setUp(db, { settings: ACKNOWLEDGED, deliver: accept }).run()
    await report()
    t.match(activity, { status: 'READY', result: { resultStatus: 'PENDING', taskDetails: { result: 'NO_CONTACT' } } })
    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered' },
      results: [{ source: 'service', state: 'reported' }],
    })

    await recordEvent(db, id, { occurredAt: new Date().toISOString() })
    await report()

    t.match(activity, { status: 'COMPLETED', registrations: { pending: 1, final: 1, conflicts: 0 } })
    tells(t, await readStory(db, id), { dispatch: { state: 'completed' }, results: [{}, { state: 'reported' }] })
  })

  t.test('tells nothing of a delivery whose end is told before', async (t) => {
    const { id, activity } = await storeOne()
    await setUp(db, { settings: ACKNOWLEDGED, deliver: accept }).run()
    await recordEvent(db, id, { occurredAt: '2026-05-04T15:20:00.000Z' })

    await report()

    t.match(activity, { status: 'COMPLETED', registrations: { pending: 0, final: 1 } })
    tells(t, await readStory(db, id), { results: [{ state: 'superseded' }, { state: 'reported' }], reports: [] })
  })

  t.test('has a visit that was made before the acknowledgement was written decided by a person', async (t) => {
    const { id, activity } = await storeOne()
    await setUp(db, { settings: ACKNOWLEDGED, deliver: accept }).run()
    await report()
    await recordEvent(db, id, { occurredAt: '2026-05-04T15:20:00.000Z' })

    await report()

    t.match(activity, { result: { resultStatus: 'PENDING' }, registrations: { final: 0 } })
    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered' },
      results: [{}, { state: 'conflict', reason_code: 'temporal_guard' }],
      reports: [],
    })
  })
})

t.test('a connection that tells of deliveries it gave up', async (t) => {
  const settings: ConnectionSettings = { on_give_up: 'NOT_INTERESTED' }

  t.test('tells why, and the dispatch stays failed for a person', async (t) => {
    const { id, activity } = await storeOne()
    const bench = setUp(db, { settings, deliver: refuse })
    await bench.run()
    await report()

    t.match(activity, {
      result: { resultStatus: 'NOT_EFFECTIVE', externalStatus: 'http_422', taskDetails: { result: 'NOT_INTERESTED' } },
    })
    t.same(bench.told, ['report due'])
    tells(t, await readStory(db, id), {
      dispatch: { state: 'failed', reason_code: 'http_422' },
      results: [{ source: 'service', state: 'reported' }],
    })
  })

  t.test('overwrites that with the end of a replay', async (t) => {
    const { id, activity } = await storeOne()
    await setUp(db, { settings, deliver: refuse }).run()
    await report()
    await replay(db, id)
    await setUp(db, { settings, deliver: accept }).run()
    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' } })

    await recordEvent(db, id, { occurredAt: new Date().toISOString() })
    await report()

    t.match(activity, { result: { resultStatus: 'EFFECTIVE' }, registrations: { final: 2, doubled: 0, conflicts: 0 } })
    tells(t, await readStory(db, id), { dispatch: { state: 'completed' } })
  })

  t.test('tells nothing without the setting, and its own words where it has them', async (t) => {
    const { id } = await storeOne()
    await setUp(db, { deliver: refuse }).run()
    t.same((await readStory(db, id)).results, [])

    const { id: other } = await storeOne()
    const worded = { on_give_up: { code: 'NO_CONTACT', external_status: 'not deliverable' } }
    await setUp(db, { settings: worded, deliver: refuse }).run()
    t.match((await readStory(db, other)).results, [{ code: 'NO_CONTACT', external_status: 'not deliverable' }])
  })
})
