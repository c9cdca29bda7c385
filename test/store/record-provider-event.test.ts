import { sql } from 'kysely'
import t from 'tap'
import type { ProviderEvent } from '../../src/dispatch/provider-event.ts'
import type { ResultContent } from '../../src/dispatch/result.ts'
import { recordProviderEvent } from '../../src/store/record-provider-event.ts'
import { rescueJobs } from '../../src/store/rescue-jobs.ts'
import { settleDelivered, settleFailed, settleParked, settleRetry } from '../../src/store/settle-delivery.ts'
import { settleReported } from '../../src/store/settle-report.ts'
import {
  CONNECTION,
  addConnection,
  buildAttempt,
  buildResult,
  claimOne,
  deliver,
  expireLeases,
  inTurn,
  makeAllDue,
  openLedger,
  readStory,
  recordEvent,
  redeliver,
  replay,
  storeDispatch,
  tells,
  matchList,
} from '../support/ledger.ts'

const { db } = await openLedger(t)

const LATER = '2026-05-04T16:00:00.000Z'
const RETRY = { delayMs: 0, isCharged: true, isFateUnknown: false }

function record(event: Partial<ProviderEvent>, content: Partial<ResultContent> = {}, connection = CONNECTION) {
  const whole = { ...event, content: buildResult(content) }
  const body = Buffer.from(JSON.stringify(whole))
  return recordProviderEvent(db, { connection, provider: 'test', event: whole, body })
}

async function keptEvents() {
  return db.selectFrom('provider_events').selectAll().orderBy('received_at').execute()
}

t.test('recordProviderEvent', async (t) => {
  t.test('finds the dispatch by our id, however it is spelled', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)

    t.match(await record({ dispatchId: id.toUpperCase() }), { dispatchId: id, activityId: 'A-1', isNew: true })
  })

  t.test('finds the dispatch by Reten’s id', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)

    t.match(await record({ activityId: 'A-1' }), { dispatchId: id, isNew: true })
  })

  t.test('finds the dispatch by the provider’s own id', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')

    t.match(await record({ providerTaskId: 'T-1' }), { dispatchId: id, isNew: true })
  })

  t.test('takes the next id where one leads nowhere', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')

    t.match(await record({ dispatchId: 'what you called it', activityId: 'unknown', providerTaskId: 'T-1' }), {
      dispatchId: id,
    })
  })

  t.test('takes the newest of two dispatches that one task was made for', async (t) => {
    await storeDispatch(db, 'A-1')
    await deliver(db, 'T-1')
    const newest = await storeDispatch(db, 'A-2')
    await deliver(db, 'T-1')

    t.match(await record({ providerTaskId: 'T-1' }), { dispatchId: newest })
  })

  t.test('never finds a dispatch of another connection, by whatever id', async (t) => {
    await addConnection(db, 'other')
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')

    t.equal(await record({ dispatchId: id, activityId: 'A-1', providerTaskId: 'T-1' }, {}, 'other'), undefined)
    tells(t, await readStory(db, id), { results: [], dispatch: { state: 'delivered' } })
  })

  t.test('keeps an event that fits no dispatch', async (t) => {
    t.equal(await record({ dispatchId: '85f06cc1-ab3b-849e-b6ad-f065a773b2f4', providerTaskId: 'T-9' }), undefined)

    matchList(t, await keptEvents(), [
      {
        connection: CONNECTION,
        provider: 'test',
        provider_task_id: 'T-9',
        matched_at: null,
        dispatch_id: null,
        times: 1,
        content: { content: { code: 'SALE_COMPLETED' } },
      },
    ])
  })

  t.test('keeps two events apart that a provider numbers alike for two tasks', async (t) => {
    await record({ providerTaskId: 'T-1' }, { eventId: 'done' })
    await record({ providerTaskId: 'T-2' }, { eventId: 'done' })

    matchList(t, await keptEvents(), [{ provider_task_id: 'T-1' }, { provider_task_id: 'T-2' }])
  })

  t.test('makes a result due for Reten, and says so of the dispatch', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')

    await record({ dispatchId: id })

    const story = await readStory(db, id)
    tells(t, story, { results: [{ source: 'webhook', state: 'pending', status: 'EFFECTIVE', event_id: 'E-1' }] })
    tells(t, story, { reports: [{ result_id: story.results[0]?.id }] })
    matchList(t, await keptEvents(), [{ dispatch_id: id, matched_at: Date }])
  })

  t.test('keeps a result of a type that Reten takes none for, and reports nothing', async (t) => {
    const id = await storeDispatch(db, 'A-1', { type: 'MESSAGE' })
    await deliver(db)

    await recordEvent(db, id)

    tells(t, await readStory(db, id), {
      results: [{ state: 'unreportable' }],
      reports: [],
      dispatch: { state: 'delivered' },
    })
  })

  t.test('counts an event that comes twice and does nothing else', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)
    await recordEvent(db, id)
    const before = await readStory(db, id)

    t.match(await recordEvent(db, id), { dispatchId: id, activityId: 'A-1', isNew: false })

    t.strictSame(await readStory(db, id), before)
    matchList(t, await keptEvents(), [{ times: 2 }])
  })

  t.test('takes an event without an id for the same by what it says', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)
    const { eventId: _none, ...content } = buildResult()
    const tell = (body: string) =>
      recordProviderEvent(db, {
        connection: CONNECTION,
        provider: 'test',
        event: { dispatchId: id, content },
        body: Buffer.from(body),
      })

    t.match(await tell('{"sentAt":1}'), { isNew: true })
    t.match(await tell('{"sentAt":2}'), { isNew: false })
    t.equal((await readStory(db, id)).results.length, 1)
  })

  t.test('makes one result of an event that comes eight times at once', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)

    const answers = await Promise.all(Array.from({ length: 8 }, () => recordEvent(db, id)))

    t.equal(answers.filter((answer) => answer?.isNew).length, 1)
    const story = await readStory(db, id)
    t.equal(story.results.length, 1)
    t.equal(story.reports.length, 1)
  })

  t.test('keeps two different results of one dispatch, and tells Reten the first one first', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)
    await recordEvent(db, id, { eventId: 'E-1', code: 'SALE_COMPLETED' })
    await recordEvent(db, id, { eventId: 'E-2', code: 'NO_CONTACT', status: 'NOT_EFFECTIVE' })

    const job = await claimOne(db, 'report')

    const first = (await readStory(db, id)).results.find((result) => result.id === job.resultId)
    t.match(first, { event_id: 'E-1' })
  })
})

t.test('a final event', async (t) => {
  t.test('proves a delivery whose answer is still on its way', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)

    await record({ dispatchId: id, providerTaskId: 'T-1' })

    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered', delivered_at: Date, finished_at: null, provider_task_id: 'T-1' },
      job: { leased_until: Date },
    })
    t.equal(await settleDelivered(db, buildAttempt(job), { providerTaskId: 'T-1', result: undefined }), 'settled')
    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, job: undefined })
  })

  t.test('ends a delivery that waits for its next try', async (t) => {
    const id = await storeDispatch(db)
    await settleRetry(db, buildAttempt(await claimOne(db)), RETRY)

    await recordEvent(db, id)

    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, job: undefined })
  })

  t.test('ends a delivery that is parked for a person', async (t) => {
    const id = await storeDispatch(db)
    await settleParked(db, buildAttempt(await claimOne(db)), 'timeout')

    await recordEvent(db, id)

    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, job: undefined })
  })

  t.test('ends a delivery whose worker died', async (t) => {
    const id = await storeDispatch(db)
    await claimOne(db)
    await expireLeases(db)
    await rescueJobs(db)

    await recordEvent(db, id)

    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, job: undefined })
  })

  t.test('leaves the fresh job of a replay alone', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)
    await replay(db, id)

    await recordEvent(db, id)

    tells(t, await readStory(db, id), { job: { attempts: 0, leased_until: null }, results: [{ state: 'pending' }] })
  })

  t.test('that was known before a replay changes nothing of it', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)
    await recordEvent(db, id)
    await replay(db, id)
    await settleRetry(db, buildAttempt(await claimOne(db)), RETRY)
    const before = await readStory(db, id)

    t.match(await recordEvent(db, id), { isNew: false })
    t.strictSame(await readStory(db, id), before)
  })

  t.test('that came with the answer before a replay changes nothing of it', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1', {})
    await replay(db, id)
    await settleRetry(db, buildAttempt(await claimOne(db)), RETRY)
    const before = await readStory(db, id)

    t.match(await recordEvent(db, id), { isNew: false })
    t.strictSame(await readStory(db, id), before)
  })

  t.test('of the body before changes nothing of the changed one', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)
    const { eventId: _none, ...content } = buildResult()
    const event = { dispatchId: id, content }
    const received = { connection: CONNECTION, provider: 'test', event, body: Buffer.from('{}') }
    await recordProviderEvent(db, received)
    await redeliver(db)
    const before = await readStory(db, id)

    t.match(await recordProviderEvent(db, received), { isNew: false })
    t.strictSame(await readStory(db, id), before)
  })

  t.test('of the task that the body before became does not end the delivery of the changed one', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await redeliver(db)
    await settleRetry(db, buildAttempt(await claimOne(db)), RETRY)

    t.match(await record({ activityId: 'A-1', providerTaskId: 'T-1' }), { dispatchId: id, isNew: true })

    tells(t, await readStory(db, id), { dispatch: { state: 'received' }, job: { revision: 1, attempts: 1 } })
    await makeAllDue(db)
    await deliver(db, 'T-2')
    t.match((await readStory(db, id)).dispatch, { state: 'delivered', provider_task_id: 'T-2' })
  })

  t.test('of the changed body’s own task ends its delivery', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await redeliver(db)
    await settleRetry(db, buildAttempt(await claimOne(db)), RETRY)

    await record({ activityId: 'A-1', providerTaskId: 'T-2' })

    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, job: undefined })
  })

  t.test('after a failure is kept, and completes the dispatch once Reten has it', async (t) => {
    const id = await storeDispatch(db)
    await settleFailed(db, buildAttempt(await claimOne(db)), 'http_422')

    t.match(await recordEvent(db, id), { isNew: true })
    t.match((await readStory(db, id)).dispatch, { state: 'failed', reason_code: 'http_422', finished_at: Date })

    await settleReported(db, buildAttempt(await claimOne(db, 'report')), { retenResultId: 'R-1', isFinal: true })
    t.match((await readStory(db, id)).dispatch, { state: 'completed' })
  })

  t.test('after completion is kept beside the first one', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1', {})
    await settleReported(db, buildAttempt(await claimOne(db, 'report')), { retenResultId: 'R-1', isFinal: true })

    t.match(await recordEvent(db, id, { eventId: 'E-2', code: 'NO_CONTACT', occurredAt: LATER }), { isNew: true })

    tells(t, await readStory(db, id), {
      dispatch: { state: 'completed' },
      results: [{ state: 'reported' }, { state: 'pending', code: 'NO_CONTACT' }],
    })
  })

  for (const goesFirst of ['event', 'parking'] as const) {
    t.test(`and a parking at the same moment leave nothing parked, the ${goesFirst} going first`, async (t) => {
      const id = await storeDispatch(db)
      const job = await claimOne(db)
      const tell = () => recordEvent(db, id)
      const park = () => settleParked(db, buildAttempt(job), 'timeout')

      if (goesFirst === 'event') await inTurn(t, db, 'results', tell, park)
      else await inTurn(t, db, 'attempts', park, tell)

      tells(t, await readStory(db, id), {
        job: undefined,
        dispatch: { state: 'delivered' },
        attempts: [{}],
        results: [{}],
      })
    })
  }
})

t.test('an event that announces another one', async (t) => {
  t.test('leaves the delivery as it is', async (t) => {
    const id = await storeDispatch(db)
    await settleRetry(db, buildAttempt(await claimOne(db)), RETRY)

    await recordEvent(db, id, { status: 'PENDING' })

    tells(t, await readStory(db, id), {
      dispatch: { state: 'received', delivered_at: null },
      job: { attempts: 1 },
      results: [{ status: 'PENDING', state: 'pending' }],
    })
  })

  t.test('is not told to Reten once the final one is there', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)
    await recordEvent(db, id, { eventId: 'E-1', status: 'PENDING' })
    await recordEvent(db, id, { eventId: 'E-2' })
    await makeAllDue(db)

    const job = await claimOne(db, 'report')

    const { results, reports } = await readStory(db, id)
    matchList(t, results, [
      { event_id: 'E-1', state: 'superseded', settled_at: Date },
      { event_id: 'E-2', state: 'pending' },
    ])
    matchList(t, reports, [{ result_id: job.resultId }])
    t.equal(job.resultId, results[1]?.id)
  })

  t.test('is kept and never told where it comes after the final one', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)
    await recordEvent(db, id, { eventId: 'E-2' })
    await recordEvent(db, id, { eventId: 'E-1', status: 'PENDING' })

    const { results, reports } = await readStory(db, id)
    matchList(t, results, [{ state: 'pending' }, { event_id: 'E-1', state: 'superseded' }])
    t.equal(reports.length, 1)
  })

  t.test('is doubtful where Reten may have been told before the final one came', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)
    await recordEvent(db, id, { eventId: 'E-1', status: 'PENDING' })
    await sql`update jobs set is_fate_unknown = true, attempts = 1`.execute(db)

    await recordEvent(db, id, { eventId: 'E-2' })

    t.match((await readStory(db, id)).results, [{ state: 'unproven', reason_code: 'superseded' }, { state: 'pending' }])
  })
})
