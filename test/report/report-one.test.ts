import t from 'tap'
import type { Test } from 'tap'
import { createHttpClient } from '../../src/http-client.ts'
import { rescueJobs } from '../../src/store/rescue-jobs.ts'
import {
  claimOne,
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
import { RESULTS_PATH, RETEN_KEY, setUpReports } from './report-fixture.ts'

const { db } = await openLedger(t)
const http = createHttpClient()
t.teardown(() => http.close())

/** A delivered dispatch with one result that is due for Reten. */
async function deliverWithResult(): Promise<string> {
  const id = await storeDispatch(db)
  await deliver(db, 'T-1', {})
  return id
}

const refuse =
  (status: number, message: string): Answerer =>
  (response) =>
    sendJson(response, status, { statusCode: status, message, error: 'Whatever' })

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

  t.test('takes a 409 after a lost answer for its own result, and completes the dispatch once', async (t) => {
    // The first answer is lost after Reten has the result.
    const reten = await serve(t, (response, request, number) => {
      if (number === 1) response.destroy()
      else refuse(409, 'A result is already registered for this activity')(response, request, number)
    })
    const id = await deliverWithResult()
    const bench = setUpReports(db, http, reten.origin)

    await bench.run()
    await makeAllDue(db)
    await bench.run()

    tells(t, await readStory(db, id), {
      dispatch: { state: 'completed' },
      results: [{ state: 'reported', reten_result_id: null }],
      reports: [],
      attempts: [{}, { outcome: 'ambiguous' }, { outcome: 'rejected', error_code: 'http_409' }],
    })
  })

  t.test('takes a 409 after a time-out for its own result', async (t) => {
    const reten = await serve(t, (response, request, number) => {
      if (number > 1) refuse(409, 'there already')(response, request, number)
    })
    const id = await deliverWithResult()

    await setUpReports(db, http, reten.origin, { timeoutMs: 100 }).run()
    tells(t, await readStory(db, id), { attempts: [{}, { outcome: 'ambiguous', error_code: 'timeout' }] })
    await makeAllDue(db)
    await setUpReports(db, http, reten.origin).run()

    tells(t, await readStory(db, id), { dispatch: { state: 'completed' }, results: [{ state: 'reported' }] })
  })

  t.test('takes a 409 after a worker died in the middle for its own result', async (t) => {
    const reten = await serve(t, refuse(409, 'there already'))
    const id = await deliverWithResult()
    await claimOne(db, 'report')
    await expireLeases(db)
    await rescueJobs(db)

    await setUpReports(db, http, reten.origin).run()

    tells(t, await readStory(db, id), { dispatch: { state: 'completed' }, results: [{ state: 'reported' }] })
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

  t.test('overwrites a PENDING result that Reten has', async (t) => {
    const reten = await serve(t, accept)
    const id = await storeDispatch(db)
    await deliver(db)
    const bench = setUpReports(db, http, reten.origin)
    await recordEvent(db, id, { eventId: 'E-1', status: 'PENDING' })
    await makeAllDue(db)
    await bench.run()
    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, results: [{ state: 'reported' }] })
    await recordEvent(db, id, { eventId: 'E-2' })

    await bench.run()

    t.strictSame(
      reten.received.map(({ body }) => (JSON.parse(body) as { hard_override?: boolean }).hard_override),
      [undefined, true],
    )
    tells(t, await readStory(db, id), { dispatch: { state: 'completed' }, results: [{}, { state: 'reported' }] })
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
