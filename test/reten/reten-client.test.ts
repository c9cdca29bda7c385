import t from 'tap'
import type { Test } from 'tap'
import { createHttpClient } from '../../src/http-client.ts'
import { createRetenClient } from '../../src/reten/reten-client.ts'
import type { RetenClient, RetenClientInput } from '../../src/reten/reten-client.ts'
import type { ResultSubmission } from '../../src/schema-types.ts'
import { sendJson, serve, serveBytes, unusedOrigin } from '../support/local-server.ts'
import type { Answerer } from '../support/local-server.ts'

const API_KEY = 'rtn_sk_0123456789abcdef'
const NOW_MS = Date.parse('2026-05-04T12:00:00.000Z')

const open = (t: Test, baseUrl: string, overrides: Partial<RetenClientInput> = {}): RetenClient => {
  const http = createHttpClient()
  t.teardown(() => http.close())
  return createRetenClient({ baseUrl, apiKey: API_KEY, http, clock: { now: () => NOW_MS }, ...overrides })
}

const buildSubmission = (overrides: Partial<ResultSubmission> = {}): ResultSubmission => ({
  activity_id: '0b6f7f0e-3c1a-4f7e-9f55-6a2f1f6f0a11',
  provider_activity_id: '6f1d2c3b-4a59-8768-9abc-def012345678',
  commerce_external_id: 'C-1042',
  occurred_at: '2026-05-04T11:00:00.000Z',
  status: 'EFFECTIVE',
  task_result: { result: 'SALE_COMPLETED' },
  ...overrides,
})

const never = (): AbortSignal => new AbortController().signal

const submitTo = async (t: Test, answer: Answerer) => {
  const server = await serve(t, answer)
  return open(t, server.origin).submitResult(buildSubmission(), never())
}

t.test('createRetenClient', async (t) => {
  t.test('submits a result as JSON with the key', async (t) => {
    const server = await serve(t, (response) => sendJson(response, 201, { id: 'r-1', source: 'RETEN_ACTIVITY' }))

    const answer = await open(t, server.origin).submitResult(buildSubmission(), never())

    t.match(answer, { kind: 'ok', status: 201, value: { id: 'r-1' }, exchange: { status: 201 } })
    const [request] = server.received
    t.match(request, {
      method: 'POST',
      path: '/api/integration/activity-results/tasks',
      headers: { 'x-api-key': API_KEY, 'content-type': 'application/json' },
    })
    t.same(JSON.parse(request?.body ?? ''), buildSubmission())
  })

  t.test('lists tasks with the filters that are given, by the names of Reten', async (t) => {
    const list = { data: [{ id: 'a-1', status: 'PENDING' }], meta: { page: 2, total: 41 } }
    const server = await serve(t, (response) => sendJson(response, 200, list))
    const client = open(t, server.origin)

    const answer = await client.listTasks(
      {
        page: 2,
        perPage: 100,
        status: 'PENDING',
        resultStatus: 'EFFECTIVE',
        channel: 'SALESMAN',
        commerceExternalId: 'C 1',
        operatorExternalId: 'V-17',
        scheduledFrom: '2026-05-01T00:00:00.000Z',
        scheduledTo: '2026-05-02T00:00:00.000Z',
      },
      never(),
    )
    await client.listTasks({}, never())

    t.match(answer, { kind: 'ok', value: list })
    t.same(
      server.received.map(({ method, path }) => `${method} ${path}`),
      [
        'GET /api/integration/activities/tasks?page=2&per_page=100&status=PENDING&result_status=EFFECTIVE' +
          '&channel=SALESMAN&external_commerce_id=C+1&external_operator_id=V-17' +
          '&scheduled_from=2026-05-01T00%3A00%3A00.000Z&scheduled_to=2026-05-02T00%3A00%3A00.000Z',
        'GET /api/integration/activities/tasks',
      ],
    )
  })

  t.test('lists result types', async (t) => {
    const types = [{ code: 'RESCHEDULE', label: 'Reagendar', requiresFutureScheduledAt: true }]
    const server = await serve(t, (response) => sendJson(response, 200, types))

    const answer = await open(t, server.origin).listResultTypes(never())

    t.match(answer, { kind: 'ok', value: types })
    t.match(server.received, [{ method: 'GET', path: '/api/integration/task-result-type-configs' }])
  })

  t.test('takes a base URL with or without slashes and /api', async (t) => {
    const server = await serve(t, (response) => sendJson(response, 200, []))

    for (const end of ['', '/', '//', '/api', '/api/']) await open(t, server.origin + end).listResultTypes(never())

    t.same(new Set(server.received.map(({ path }) => path)), new Set(['/api/integration/task-result-type-configs']))
  })

  t.test('is refused, with the words of Reten, on what repeating cannot help', async (t) => {
    const refusals: readonly (readonly [status: number, body: object, expected: object])[] = [
      [
        400,
        { statusCode: 400, error: 'Bad Request', message: 'task_result.result is unknown' },
        { error: 'Bad Request' },
      ],
      [400, { message: ['a is wrong', 'b is wrong'] }, { message: 'a is wrong; b is wrong', error: '' }],
      [
        401,
        { statusCode: 401, error: 'Unauthorized', message: 'API key missing or invalid' },
        { error: 'Unauthorized' },
      ],
      [403, { statusCode: 403, message: 'Insufficient permissions' }, { message: 'Insufficient permissions' }],
      [404, { statusCode: 404, error: 'Not Found', message: 'no such activity' }, { message: 'no such activity' }],
      [409, { statusCode: 409, error: 'Conflict', message: 'already there' }, { error: 'Conflict' }],
      [422, { error: 'Unprocessable Entity' }, { message: 'Unprocessable Entity' }],
    ]
    for (const [status, body, expected] of refusals) {
      const answer = await submitTo(t, (response) => sendJson(response, status, body))
      t.match(answer, { kind: 'refused', status, ...expected, exchange: { status } }, String(status))
    }
  })

  t.test('takes a redirect, which is not followed, and a route that is not there for a wrong address', async (t) => {
    const answer = await submitTo(t, (response) => response.writeHead(308, { location: 'https://other.example' }).end())

    t.match(answer, {
      kind: 'unavailable',
      code: 'address_wrong',
      status: 308,
      isSent: false,
      message: /answered 308: is the/,
    })
    const missing = await submitTo(t, (response) =>
      sendJson(response, 404, { statusCode: 404, message: 'Cannot POST /api/integration', error: 'Not Found' }),
    )
    t.match(missing, { kind: 'unavailable', code: 'address_wrong', isSent: false })
    const page = await submitTo(t, (response) => response.writeHead(303, { location: '/done' }).end())
    t.match(page, { code: 'address_wrong', isSent: true })
  })

  t.test('is unavailable, and surely not done, where the answer says so', async (t) => {
    const inAMinute = new Date(NOW_MS + 60_000).toUTCString()
    const answers: readonly (readonly [
      status: number,
      headers: Readonly<Record<string, string>>,
      ms: number | undefined,
    ])[] = [
      [408, {}, undefined],
      [425, {}, undefined],
      [429, {}, undefined],
      [429, { 'retry-after': '20' }, 20_000],
      [429, { 'retry-after': inAMinute }, 60_000],
    ]
    for (const [status, headers, retryAfterMs] of answers) {
      const answer = await submitTo(t, (response) => sendJson(response, status, {}, headers))
      t.match(answer, { kind: 'unavailable', code: `http_${status}`, isSent: false, status, retryAfterMs })
    }
  })

  t.test('is unavailable, and perhaps done, on every 5xx', async (t) => {
    for (const status of [500, 502, 503, 504, 599]) {
      const answer = await submitTo(t, (response) => response.writeHead(status).end('<html>'))
      t.match(answer, {
        kind: 'unavailable',
        code: `http_${status}`,
        isSent: true,
        status,
        message: `Reten answered ${status}`,
      })
    }
  })

  t.test('is unavailable on a body that is not the one of Reten', async (t) => {
    const bodies: readonly (readonly [status: number, body: string, message: RegExp])[] = [
      [200, '<html>Welcome</html>', /its body is not JSON/],
      [201, '', /its body is not JSON/],
      [201, '{"source":"x"}', /its body\/id is required/],
      [201, '[]', /its body must be an object/],
      [404, '<html>no</html>', /answered 404 without a body of its own/],
      [403, '', /answered 403/],
      [400, '"no"', /answered 400/],
      [400, '{"request":"blocked"}', /answered 400/],
    ]
    for (const [status, body, message] of bodies) {
      const answer = await submitTo(t, (response) => response.writeHead(status).end(body))
      t.match(
        answer,
        { kind: 'unavailable', code: 'answer_unreadable', isSent: true, status, message },
        `${status} ${body}`,
      )
    }
  })

  t.test('is unavailable without an answer, and says whether the call may have been carried out', async (t) => {
    const silent = await serveBytes(t, () => undefined)
    const reset = await serveBytes(t, (socket) => socket.resetAndDestroy())
    const half = await serveBytes(t, (socket) => socket.end('HTTP/1.1 201 Created\r\ncontent-length: 40\r\n\r\n{"id'))
    const huge = await serveBytes(t, (socket) => socket.end(`HTTP/1.1 201 Created\r\n\r\n${'x'.repeat(300_000)}`))
    const faults: readonly (readonly [origin: string, code: string, isSent: boolean])[] = [
      [await unusedOrigin(), 'connection_refused', false],
      [silent, 'timeout', true],
      [reset, 'connection_lost', true],
      [half, 'connection_lost', true],
      [huge, 'response_too_large', true],
    ]
    for (const [origin, code, isSent] of faults) {
      const answer = await open(t, origin, { timeoutMs: 200 }).submitResult(buildSubmission(), never())
      t.match(answer, { kind: 'unavailable', code, isSent, status: undefined })
    }
  })

  t.test('ends when the caller gives up', async (t) => {
    const giveUp = new AbortController()
    const origin = await serveBytes(t, () => giveUp.abort())

    const answer = await open(t, origin).submitResult(buildSubmission(), giveUp.signal)

    t.match(answer, { kind: 'unavailable', code: 'aborted', isSent: true })
  })

  t.test('shows what went over the wire, without the key', async (t) => {
    const answer = await submitTo(t, (response, { headers }) =>
      sendJson(response, 400, { message: `your key is ${String(headers['x-api-key'])}`, error: 'Bad Request' }),
    )

    t.notMatch(JSON.stringify(answer), API_KEY)
    t.match(answer, {
      message: 'your key is [secret]',
      exchange: {
        request: `POST /api/integration/activity-results/tasks\n${JSON.stringify(buildSubmission())}`,
        response: '{"message":"your key is [secret]","error":"Bad Request"}',
      },
    })
  })
})
