import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import { createHttpClient } from '../../src/http-client.ts'
import { rescueJobs } from '../../src/store/rescue-jobs.ts'
import {
  claimOne,
  clearLedger,
  deliver,
  expireLeases,
  makeAllDue,
  matchList,
  openLedger,
  readStory,
  recordEvent,
  secondsUntil,
  storeDispatch,
  tells,
} from '../support/ledger.ts'
import type { StoryPattern } from '../support/ledger.ts'
import { sendJson, serve, serveBytes, unusedOrigin } from '../support/local-server.ts'
import type { Answerer } from '../support/local-server.ts'
import { answerAs, RESULTS_PATH, RETEN_KEY, setUpReports, toldResults } from './report-fixture.ts'

const { db } = await openLedger(t)
const http = createHttpClient()
t.teardown(() => http.close())

/** A delivered dispatch with one result that is due for Reten. */
async function deliverWithResult(): Promise<string> {
  const id = await storeDispatch(db)
  await deliver(db, 'T-1', {})
  return id
}

const AT = '2026-05-04T15:20:00.000Z'

/** A delivered dispatch whose PENDING result Reten was told. */
async function announce(origin: string): Promise<string> {
  const id = await storeDispatch(db)
  await deliver(db)
  await recordEvent(db, id, { eventId: 'E-1', status: 'PENDING' })
  await makeAllDue(db)
  await setUpReports(db, http, origin).run()
  return id
}

const refuse =
  (status: number, message: string): Answerer =>
  (response) =>
    sendJson(response, status, { statusCode: status, message, error: 'Whatever' })

const THERE = refuse(409, 'A result is already registered for this activity')

const accept: Answerer = (response) => sendJson(response, 201, { id: 'R-1' })

/** What one answer of Reten's comes to. */
interface Case {
  readonly answer: Answerer
  readonly story: StoryPattern
  /** Seconds until the next try. */
  readonly dueIn?: readonly [from: number, to: number]
}

const FAILED = { reports: [], dispatch: { state: 'delivered', finished_at: null } }

const CASES: Readonly<Record<string, Case>> = {
  '201 completes the dispatch': {
    answer: accept,
    story: {
      dispatch: { state: 'completed', finished_at: Date },
      results: [{ state: 'reported', reten_result_id: 'R-1', reason_code: null }],
      reports: [],
      attempts: [{}, { kind: 'report', outcome: 'accepted', http_status: 201, number: 1 }],
    },
  },
  '400 ends in words that an operator can read': {
    answer: refuse(400, 'task_result.result SOLD is not a known result code'),
    story: {
      ...FAILED,
      results: [
        { state: 'failed', reason_code: 'http_400', reason: 'task_result.result SOLD is not a known result code' },
      ],
      attempts: [{}, { outcome: 'rejected', error_code: 'http_400', http_status: 400 }],
    },
  },
  '400 with a list of words': {
    answer: (response) =>
      sendJson(response, 400, { statusCode: 400, message: ['no time', 'no code'], error: 'Bad Request' }),
    story: { ...FAILED, results: [{ state: 'failed', reason: 'no time; no code' }] },
  },
  '404 ends in words that an operator can read': {
    answer: refuse(404, 'Commerce with external id C-1 not found'),
    story: { ...FAILED, results: [{ state: 'failed', reason_code: 'http_404', reason: /C-1 not found/ }] },
  },
  '409 out of the blue is a conflict': {
    answer: refuse(409, 'A result is already registered for this activity'),
    story: { ...FAILED, results: [{ state: 'conflict', reason_code: 'http_409', reason: /already registered/ }] },
  },
  'a redirect pauses reporting and is nobody’s try': {
    answer: (response) => response.writeHead(301, { location: 'https://elsewhere.example' }).end(),
    story: {
      results: [{ state: 'pending' }],
      reports: [{ attempts: 0, is_fate_unknown: false }],
      attempts: [{}, { outcome: 'retry', error_code: 'address_wrong', http_status: 301 }],
    },
    dueIn: [0, 1],
  },
  'a route that is not there pauses reporting and is nobody’s try': {
    answer: refuse(404, 'Cannot POST /api/integration/activity-results/tasks'),
    story: {
      results: [{ state: 'pending' }],
      reports: [{ attempts: 0, is_fate_unknown: false }],
      attempts: [{}, { error_code: 'address_wrong', error_message: /is the base URL right/ }],
    },
    dueIn: [0, 1],
  },
  '401 waits and is not counted': {
    answer: refuse(401, 'Unauthorized'),
    story: {
      results: [{ state: 'pending' }],
      reports: [{ attempts: 0, is_fate_unknown: false }],
      attempts: [{}, { outcome: 'unauthorized', error_code: 'http_401' }],
    },
    dueIn: [0, 1],
  },
  '403 waits and is not counted': {
    answer: refuse(403, 'the key lacks SUBMIT_ACTIVITY_RESULT'),
    story: {
      results: [{ state: 'pending' }],
      reports: [{ attempts: 0 }],
      attempts: [{}, { error_code: 'http_403', error_message: /SUBMIT_ACTIVITY_RESULT/ }],
    },
    dueIn: [0, 1],
  },
  '429 waits as long as Reten wishes and is not counted': {
    answer: (response) => sendJson(response, 429, { statusCode: 429, message: 'slower' }, { 'retry-after': '25' }),
    story: { results: [{ state: 'pending' }], reports: [{ attempts: 0, is_fate_unknown: false }] },
    dueIn: [25, 30],
  },
  '500 is tried again in doubt': {
    answer: refuse(500, 'Internal Server Error'),
    story: {
      results: [{ state: 'pending' }],
      reports: [{ attempts: 1, is_fate_unknown: true }],
      attempts: [{}, { outcome: 'ambiguous', error_code: 'http_500' }],
    },
    dueIn: [19, 20],
  },
  'a page of a gateway is tried again in doubt': {
    answer: (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hello</html>'),
    story: { reports: [{ attempts: 1, is_fate_unknown: true }], attempts: [{}, { error_code: 'answer_unreadable' }] },
  },
  'an answer without an id is tried again in doubt': {
    answer: (response) => sendJson(response, 201, { ok: true }),
    story: { reports: [{ attempts: 1, is_fate_unknown: true }], attempts: [{}, { error_code: 'answer_unreadable' }] },
  },
  'a connection that ends without an answer is tried again in doubt': {
    answer: (response) => response.destroy(),
    story: { reports: [{ attempts: 1, is_fate_unknown: true }], attempts: [{}, { error_code: 'connection_lost' }] },
  },
  'an answer that breaks off is tried again in doubt': {
    answer: (response) => {
      response.writeHead(201, { 'content-length': '100' }).write('{"id":')
      setImmediate(() => response.destroy())
    },
    story: { reports: [{ attempts: 1, is_fate_unknown: true }] },
  },
}

t.test('reportOne', async (t) => {
  for (const [sentence, { answer, story, dueIn }] of Object.entries(CASES)) {
    t.test(sentence, async (t) => {
      const reten = await serve(t, answer)
      const id = await deliverWithResult()

      await setUpReports(db, http, reten.origin).run()

      const stored = await readStory(db, id)
      tells(t, stored, story)
      if (dueIn === undefined) return
      const seconds = await secondsUntil(db, stored.reports[0]?.due_at ?? new Date(Number.NaN))
      t.ok(seconds > dueIn[0] - 1 && seconds <= dueIn[1], `due in ${seconds} s`)
    })
  }

  t.test('tells Reten what happened, with the key of the connection', async (t) => {
    const reten = await serve(t, accept)
    const id = await deliverWithResult()

    await setUpReports(db, http, reten.origin).run()

    t.equal(reten.received.length, 1)
    const [request] = reten.received
    t.match(request, { method: 'POST', path: RESULTS_PATH, headers: { 'x-api-key': RETEN_KEY } })
    t.strictSame(JSON.parse(request?.body ?? ''), {
      activity_id: 'A-1',
      provider_activity_id: id,
      commerce_external_id: 'C-1',
      occurred_at: '2026-05-04T15:20:00.000Z',
      status: 'EFFECTIVE',
      task_result: { result: 'SALE_COMPLETED' },
    })
  })

  t.test('shows the exchange to operators without the key', async (t) => {
    const reten = await serve(t, refuse(400, `the key ${RETEN_KEY} is odd`))
    const id = await deliverWithResult()

    await setUpReports(db, http, reten.origin).run()

    const { attempts, results } = await readStory(db, id)
    t.match(attempts.at(-1), { request_excerpt: /activity_id/, response_excerpt: /\[secret\]/ })
    t.notMatch(JSON.stringify([attempts, results]), RETEN_KEY)
  })

  t.test('is tried again without doubt where nobody listens', async (t) => {
    const id = await deliverWithResult()

    await setUpReports(db, http, await unusedOrigin()).run()

    tells(t, await readStory(db, id), {
      reports: [{ attempts: 1, is_fate_unknown: false }],
      attempts: [{}, { outcome: 'retry', error_code: 'connection_refused' }],
    })
  })

  t.test('proves by Reten’s list that a 409 after a lost answer is about its own result', async (t) => {
    const reten = await serve(
      t,
      // The first answer is lost after Reten has the result.
      answerAs(
        () => [{ id: 'A-1', occurredAt: AT, resultStatus: 'EFFECTIVE' }],
        (response, request, number) => (number === 1 ? response.destroy() : THERE(response, request, number)),
      ),
    )
    const id = await deliverWithResult()
    const bench = setUpReports(db, http, reten.origin)

    await bench.run()
    await makeAllDue(db)
    await bench.run()

    tells(t, await readStory(db, id), {
      dispatch: { state: 'completed' },
      results: [{ state: 'reported', reten_result_id: null, reten_side: { isListed: true, occurredAt: AT } }],
      reports: [],
      attempts: [{}, { outcome: 'ambiguous' }, { outcome: 'rejected', error_code: 'http_409' }],
    })
  })

  t.test('leaves unproven what a 409 after a lost answer says and the list does not show', async (t) => {
    const lists = { 'no result': [{ id: 'A-1', occurredAt: null }], 'no activity': [{ id: 'A-2' }] }
    for (const [sentence, rows] of Object.entries(lists)) {
      const reten = await serve(
        t,
        answerAs(() => rows, THERE),
      )
      const id = await storeDispatch(db, 'A-1')
      await deliver(db, 'T-1', {})
      await sql`update jobs set is_fate_unknown = true`.execute(db)

      await setUpReports(db, http, reten.origin).run()

      const story = await readStory(db, id)
      tells(t, story, { dispatch: { state: 'delivered' }, reports: [] })
      t.match(story.results, [{ state: 'unproven', reason_code: 'http_409', attention_at: Date }], sentence)
      await clearLedger(db)
    }
  })

  t.test('opens a conflict with both sides where Reten holds another result', async (t) => {
    const theirs = {
      id: 'A-1',
      occurredAt: '2026-05-04T10:00:00.000Z',
      resultStatus: 'NOT_EFFECTIVE',
      result: 'NO_CONTACT',
    }
    const reten = await serve(
      t,
      answerAs(() => [theirs], THERE),
    )
    const id = await deliverWithResult()

    await setUpReports(db, http, reten.origin).run()

    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered' },
      results: [
        {
          state: 'conflict',
          reason_code: 'http_409',
          reason: /NOT_EFFECTIVE NO_CONTACT of 2026-05-04T10:00/,
          reten_side: { resultStatus: 'NOT_EFFECTIVE', result: 'NO_CONTACT' },
        },
      ],
      reports: [],
    })
  })

  t.test('does not take a correction for what it corrects, though its instant and status are the same', async (t) => {
    for (const row of [{ result: 'SALE_COMPLETED' }, {}]) {
      const reten = await serve(
        t,
        answerAs(
          () => [{ id: 'A-1', occurredAt: AT, resultStatus: 'EFFECTIVE', ...row }],
          (response, request, number) =>
            number === 1 ? sendJson(response, 201, { id: 'R-1' }) : THERE(response, request, number),
        ),
      )
      const id = await deliverWithResult()
      const bench = setUpReports(db, http, reten.origin)
      await bench.run()
      await recordEvent(db, id, { eventId: 'E-2', code: 'SAMPLE_LEFT' })

      await bench.run()

      tells(t, await readStory(db, id), { results: [{ state: 'reported' }, { state: 'conflict' }], reports: [] })
      await clearLedger(db)
    }
  })

  t.test('tries a 409 again whose other side cannot be read, and ends without it where our key may not', async (t) => {
    const states: unknown[] = []
    for (const status of [503, 403]) {
      const reten = await serve(t, (response, request, number) => {
        if (request.method === 'POST') THERE(response, request, number)
        else sendJson(response, status, { statusCode: status, message: 'no list' })
      })
      const id = await deliverWithResult()
      await setUpReports(db, http, reten.origin).run()
      const { results, reports } = await readStory(db, id)
      states.push([results[0]?.state, reports.length])
      await clearLedger(db)
    }

    t.strictSame(states, [
      ['pending', 1],
      ['conflict', 0],
    ])
  })

  t.test('gives up after the last step: unproven in doubt, failed otherwise', async (t) => {
    const states: unknown[] = []
    const silent = await serve(t, (response) => response.destroy())
    for (const origin of [silent.origin, await unusedOrigin()]) {
      const id = await storeDispatch(db, origin)
      await deliver(db, 'T-1', {})
      const bench = setUpReports(db, http, origin)
      for (let tries = 0; tries < 3; tries += 1) {
        await bench.run()
        await makeAllDue(db)
      }
      const { results, reports } = await readStory(db, id)
      states.push([results[0]?.state, results[0]?.reason_code, reports.length])
    }

    t.strictSame(states, [
      ['unproven', 'gave_up', 0],
      ['failed', 'gave_up', 0],
    ])
  })

  t.test('overwrites a PENDING result that Reten has, and that is ours', async (t) => {
    const reten = await serve(
      t,
      answerAs(() => [{ id: 'A-1', occurredAt: AT, resultStatus: 'PENDING' }], accept),
    )
    const id = await announce(reten.origin)
    await recordEvent(db, id, { eventId: 'E-2', occurredAt: '2026-05-04T16:00:00.000Z' })

    await setUpReports(db, http, reten.origin).run()

    t.strictSame(
      toldResults(reten).map((told) => told.hard_override),
      [undefined, true],
    )
    tells(t, await readStory(db, id), { dispatch: { state: 'completed' }, results: [{}, { state: 'reported' }] })
  })

  t.test('overwrites nobody else’s result with the one that follows a PENDING one', async (t) => {
    const rows: object[] = []
    const reten = await serve(
      t,
      answerAs(() => rows, accept),
    )
    const id = await announce(reten.origin)
    rows.push({ id: 'A-1', occurredAt: '2026-05-04T15:30:00.000Z', resultStatus: 'NOT_EFFECTIVE' })
    await recordEvent(db, id, { eventId: 'E-2', occurredAt: '2026-05-04T16:00:00.000Z' })

    await setUpReports(db, http, reten.origin).run()

    t.equal(toldResults(reten).length, 1, 'it was not sent')
    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered' },
      results: [{ state: 'reported' }, { state: 'conflict', reason_code: 'other_result' }],
      reports: [],
    })
  })

  t.test('does not repeat an override whose answer was lost before it has looked', async (t) => {
    let isWritten = false
    const reten = await serve(
      t,
      answerAs(
        () => [
          isWritten
            ? { id: 'A-1', occurredAt: '2026-05-04T16:00:00.000Z', resultStatus: 'EFFECTIVE' }
            : { id: 'A-1', occurredAt: AT, resultStatus: 'PENDING' },
        ],
        (response, request, number) => {
          if (number === 1) return accept(response, request, number)
          isWritten = true
          response.destroy()
        },
      ),
    )
    const id = await announce(reten.origin)
    await recordEvent(db, id, { eventId: 'E-2', occurredAt: '2026-05-04T16:00:00.000Z' })
    const bench = setUpReports(db, http, reten.origin)
    await bench.run()
    await makeAllDue(db)

    await bench.run()

    t.equal(toldResults(reten).length, 2)
    tells(t, await readStory(db, id), { dispatch: { state: 'completed' }, results: [{}, { state: 'reported' }] })
  })

  t.test('explains the temporal guard and does not try for ever', async (t) => {
    const reten = await serve(
      t,
      answerAs(
        () => [{ id: 'A-1', occurredAt: AT, resultStatus: 'PENDING' }],
        (response, request, number) =>
          number === 1
            ? accept(response, request, number)
            : refuse(409, 'occurred_at is too old')(response, request, number),
      ),
    )
    const id = await announce(reten.origin)
    await recordEvent(db, id, { eventId: 'E-2', occurredAt: '2026-05-04T15:00:00.000Z' })

    await setUpReports(db, http, reten.origin).run()

    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered' },
      results: [{}, { state: 'conflict', reason_code: 'temporal_guard', reason: /too old.*by hand with a later time/ }],
      reports: [],
    })
  })

  t.test('tells the tenant’s code for the provider’s, and notes it', async (t) => {
    const reten = await serve(t, accept)
    const id = await deliverWithResult()
    const settings = { result_map: { SALE_COMPLETED: 'success' } }

    await setUpReports(db, http, reten.origin, { settings, types: [{ code: 'success' }] }).run()

    t.match(toldResults(reten), [{ task_result: { result: 'success' } }])
    tells(t, await readStory(db, id), {
      results: [{ state: 'reported', code: 'SALE_COMPLETED', told_code: 'success' }],
    })
  })

  t.test('holds a result whose code is none of the tenant’s, says so once, and charges nobody', async (t) => {
    const reten = await serve(t, accept)
    const id = await deliverWithResult()
    const bench = setUpReports(db, http, reten.origin, { types: [{ code: 'success' }] })

    await bench.run()
    await makeAllDue(db)
    await bench.run()

    t.equal(reten.received.length, 0)
    tells(t, await readStory(db, id), {
      results: [{ state: 'pending', reason_code: 'code_unknown', reason: /result_map/, attention_at: Date }],
      reports: [{ attempts: 0, leased_until: null }],
    })
    matchList(t, bench.lines, [{ event: 'result.held', level: 'error', dispatchId: id, code: 'code_unknown' }])
    t.match(await bench.metrics.expose(), /results_total\{connection="acme",outcome="held"\} 1\n/)

    await makeAllDue(db)
    await setUpReports(db, http, reten.origin, { types: [{ code: 'SALE_COMPLETED' }] }).run()
    tells(t, await readStory(db, id), { results: [{ state: 'reported', reason_code: null, attention_at: null }] })
  })

  t.test('refuses by itself a result without the future date that its code asks for', async (t) => {
    const types = [{ code: 'SALE_COMPLETED', requiresFutureScheduledAt: true }]
    const reasons: unknown[] = []
    const reten = await serve(t, accept)
    for (const futureScheduledAt of [undefined, '2020-01-01T00:00:00.000Z', '2999-01-01T00:00:00.000Z']) {
      const id = await storeDispatch(db)
      await deliver(db, 'T-1', futureScheduledAt === undefined ? {} : { futureScheduledAt })
      await setUpReports(db, http, reten.origin, { types }).run()
      const { results } = await readStory(db, id)
      reasons.push([results[0]?.state, results[0]?.reason_code])
      await clearLedger(db)
    }

    t.strictSame(reasons, [
      ['failed', 'future_date_missing'],
      ['failed', 'future_date_past'],
      ['reported', null],
    ])
    t.equal(reten.received.length, 1)
  })

  t.test('counts, times and tells a result once', async (t) => {
    const reten = await serve(t, accept)
    const id = await deliverWithResult()
    const bench = setUpReports(db, http, reten.origin)

    await bench.run()

    matchList(t, bench.lines, [
      { event: 'result.reported', dispatchId: id, activityId: 'A-1', connection: 'acme', attempt: 1 },
    ])
    const metrics = await bench.metrics.expose()
    t.match(metrics, /results_total\{connection="acme",outcome="reported"\} 1\n/)
    t.match(metrics, /end_to_end_duration_seconds_count\{connection="acme"\} 1\n/)
  })

  t.test('counts nothing that another worker settles', async (t) => {
    const reten = await serve(t, accept)
    await deliverWithResult()
    const bench = setUpReports(db, http, reten.origin)
    const stale = await claimOne(db, 'report')
    await expireLeases(db)
    await rescueJobs(db)
    await bench.run()
    const before = await bench.metrics.expose()

    await bench.runClaimed(stale)

    t.match(before, /results_total\{connection="acme",outcome="reported"\} 1\n/)
    t.match(await bench.metrics.expose(), /results_total\{connection="acme",outcome="reported"\} 1\n/)
    t.match(bench.lines.at(-1), { event: 'report.stale' })
  })
})

t.test('a shutdown', async (t) => {
  t.test('gives a report back in doubt that may have been sent, and charges nobody', async (t) => {
    const ending = new AbortController()
    const reten = await serve(t, () => ending.abort())
    const id = await deliverWithResult()

    await setUpReports(db, http, reten.origin).run(ending.signal)

    tells(t, await readStory(db, id), {
      reports: [{ attempts: 0, is_fate_unknown: true, leased_until: null }],
      attempts: [{}],
    })
  })

  t.test('gives a report back without doubt that was not sent', async (t) => {
    const id = await deliverWithResult()
    const origin = await serveBytes(t, () => {})

    await setUpReports(db, http, origin).run(AbortSignal.abort())

    tells(t, await readStory(db, id), { reports: [{ attempts: 0, is_fate_unknown: false, leased_until: null }] })
  })
})

t.test('a fault of ours', async (t) => {
  t.test('gives the report back in doubt, and charges nobody', async (t: Test) => {
    const id = await deliverWithResult()
    // A time that JavaScript cannot write: the submission cannot be made.
    await db.updateTable('results').set({ occurred_at: 'infinity' }).execute()
    const bench = setUpReports(db, http, await unusedOrigin())

    await bench.run()

    tells(t, await readStory(db, id), { reports: [{ attempts: 0, leased_until: null }], attempts: [{}] })
    t.match(bench.lines, [{ event: 'report.fault', level: 'error' }])
  })
})
