// What every adapter that speaks HTTP must make of what can happen to a delivery. The provider here is a local server of
// ours: it shows how the adapter reads answers, not how any real provider behaves.
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Test } from 'tap'
import type { Adapter, AdapterInput } from '../../../src/deliver/adapters/adapter.ts'
import type { Outcome } from '../../../src/dispatch/outcome.ts'
import { sendJson, serve, serveBytes, unusedOrigin } from '../../support/local-server.ts'
import { NOW_MS, buildCancelCommand, buildCommand, buildInput, patience } from './adapter-fixture.ts'

export interface ContractSubject {
  /** Builds the adapter for a provider at `origin`. */
  create(origin: string, timeoutMs: number, input: AdapterInput): Adapter
  /** The body that accepts a delivery with this id. */
  acceptedBody(id: string | number): Readonly<Record<string, unknown>>
  /** What these answers mean to this adapter; adapters may differ here. */
  readonly onGarbage200: ExpectedOutcome
  readonly onErrorUnder200: ExpectedOutcome
}

export type ExpectedOutcome = Readonly<Record<string, unknown>> & Pick<Outcome, 'kind'>

interface AnswerCase {
  readonly when: string
  readonly answer: (response: ServerResponse) => void
  readonly expected: ExpectedOutcome
}

/** A test that waits for a deadline waits this long. */
const SHORT_TIMEOUT_MS = 150
const LONG_TIMEOUT_MS = 5_000
const SECRET = 'hush-hush-hush'

/** Runs the contract as subtests of `t`. */
export async function testAdapterContract(t: Test, subject: ContractSubject): Promise<void> {
  const create = (t: Test, origin: string, timeoutMs = LONG_TIMEOUT_MS): Adapter => {
    const adapter = subject.create(origin, timeoutMs, buildInput(t, { secrets: { unrelated: SECRET } }))
    t.teardown(() => adapter.close())
    return adapter
  }

  await t.test('accepts with the id the provider gives, a string or a number', async (t) => {
    for (const id of ['T-8841', 8841]) {
      const provider = await serve(t, (response) => sendJson(response, 201, subject.acceptedBody(id)))

      const outcome = await create(t, provider.origin).deliver(buildCommand(), patience())

      t.match(outcome, { kind: 'accepted', providerTaskId: String(id), exchange: { status: 201 } })
    }
  })

  await t.test('accepts a 2xx without an id, and without a body', async (t) => {
    const provider = await serve(t, (response, _request, number) => {
      if (number === 1) sendJson(response, 200, { status: 'ok' })
      else response.writeHead(204).end()
    })
    const adapter = create(t, provider.origin)

    for (const status of [200, 204]) {
      const outcome = await adapter.deliver(buildCommand(), patience())
      t.match(outcome, { kind: 'accepted', providerTaskId: undefined, exchange: { status } })
    }
  })

  await t.test('accepts whatever content type an acceptance comes with', async (t) => {
    const provider = await serve(t, (response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end(JSON.stringify(subject.acceptedBody('T-1'))),
    )

    t.match(await create(t, provider.origin).deliver(buildCommand(), patience()), {
      kind: 'accepted',
      providerTaskId: 'T-1',
    })
  })

  await t.test('reads a result that comes with the acceptance', async (t) => {
    const result = {
      status: 'EFFECTIVE',
      result: 'SALE_COMPLETED',
      occurredAt: '2026-05-04T10:20:00-03:00',
      eventId: 'e1',
    }
    const provider = await serve(t, (response) => sendJson(response, 200, { ...subject.acceptedBody('T-1'), result }))

    const outcome = await create(t, provider.origin).deliver(buildCommand(), patience())

    t.match(outcome, {
      kind: 'accepted',
      result: { status: 'EFFECTIVE', code: 'SALE_COMPLETED', occurredAt: '2026-05-04T13:20:00.000Z', eventId: 'e1' },
    })
  })

  await t.test('accepts without a result when the one that came cannot be read', async (t) => {
    const unreadable = [
      'SALE_COMPLETED',
      { status: 'COMPLETED', result: 'SALE_COMPLETED', occurredAt: '2026-05-04T10:20:00Z' },
      { status: 'EFFECTIVE', result: 'SALE_COMPLETED' },
      { status: 'EFFECTIVE', result: 'SALE_COMPLETED', occurredAt: '2016-12-31T23:59:60Z' },
    ]
    const provider = await serve(t, (response, _request, number) =>
      sendJson(response, 200, { ...subject.acceptedBody('T-1'), result: unreadable[number - 1] }),
    )
    const adapter = create(t, provider.origin)

    for (const result of unreadable) {
      const outcome = await adapter.deliver(buildCommand(), patience())
      t.match(outcome, { kind: 'accepted', providerTaskId: 'T-1', result: undefined }, JSON.stringify(result))
    }
  })

  await t.test(
    'sends the same key and the same body on every attempt, and another key for another revision',
    async (t) => {
      const provider = await serve(t, (response) => sendJson(response, 503, {}))
      const adapter = create(t, provider.origin)
      const command = buildCommand()

      await adapter.deliver(command, patience())
      await adapter.deliver(command, patience())
      await adapter.deliver({ ...command, idempotencyKey: `${command.dispatchId}-r1` }, patience())

      const keys = provider.received.map(({ headers }) => headers['idempotency-key'])
      t.same(keys, [command.dispatchId, command.dispatchId, `${command.dispatchId}-r1`])
      t.equal(provider.received[0]?.body, provider.received[1]?.body)
    },
  )

  await t.test(
    'is ambiguous when the provider did the work and the answer never came; the repeat finds it done',
    async (t) => {
      const tasks = new Map<unknown, string>()
      const provider = await serve(t, (response, { headers }, number) => {
        const key = headers['idempotency-key']
        if (!tasks.has(key)) tasks.set(key, `T-${tasks.size + 1}`)
        if (number > 1) sendJson(response, 200, subject.acceptedBody(tasks.get(key) ?? ''))
      })
      const adapter = create(t, provider.origin, SHORT_TIMEOUT_MS)

      t.match(await adapter.deliver(buildCommand(), patience()), { kind: 'ambiguous', code: 'timeout' })
      t.match(await adapter.deliver(buildCommand(), patience()), { kind: 'accepted', providerTaskId: 'T-1' })
      t.equal(tasks.size, 1)
    },
  )

  for (const { when, answer, expected } of answerCases(subject)) {
    await t.test(`is ${expected.kind} on ${when}`, async (t) => {
      const provider = await serve(t, answer)

      const outcome = await create(t, provider.origin).deliver(buildCommand(), patience())

      t.match(outcome, expected)
      t.equal(provider.received.length, 1, 'and calls once')
    })
  }

  const socketCases: readonly (readonly [when: string, onRequest: (socket: Socket) => void, code: string])[] = [
    ['a connection that is reset', (socket) => socket.resetAndDestroy(), 'connection_lost'],
    ['a connection that is closed without an answer', (socket) => socket.end(), 'connection_lost'],
    [
      'an answer that breaks off',
      (socket) => socket.end('HTTP/1.1 201 Created\r\ncontent-length: 40\r\n\r\n{"id":"T-'),
      'connection_lost',
    ],
    ['something that is not HTTP', (socket) => socket.end('220 ready\r\n'), 'response_malformed'],
    ['a body that never ends', trickle, 'timeout'],
    ['10 MB of body', (socket) => socket.end(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(10_485_760)}`), 'response_too_large'],
  ]
  for (const [when, onRequest, code] of socketCases) {
    await t.test(`is ambiguous on ${when}`, async (t) => {
      const origin = await serveBytes(t, onRequest)

      const outcome = await create(t, origin, code === 'timeout' ? 300 : LONG_TIMEOUT_MS).deliver(
        buildCommand(),
        patience(),
      )

      t.match(outcome, { kind: 'ambiguous', code })
    })
  }

  await t.test('is retry where nobody listens', async (t) => {
    const outcome = await create(t, await unusedOrigin()).deliver(buildCommand(), patience())

    t.match(outcome, { kind: 'retry', code: 'connection_refused' })
  })

  await t.test('is ambiguous when it is given up after sending, retry when before', async (t) => {
    const giveUp = new AbortController()
    const origin = await serveBytes(t, () => giveUp.abort())
    const adapter = create(t, origin)

    t.match(await adapter.deliver(buildCommand(), giveUp.signal), { kind: 'ambiguous', code: 'aborted' })
    t.match(await adapter.deliver(buildCommand(), giveUp.signal), { kind: 'retry' })
  })

  await t.test('shows what went over the wire: capped, storable, without secrets', async (t) => {
    const provider = await serve(t, (response) =>
      sendJson(response, 400, { message: `no: ${SECRET}\0`, more: 'x'.repeat(10_000) }),
    )
    const adapter = create(t, provider.origin)

    const outcome = await adapter.deliver(buildCommand(), patience())

    t.notMatch(JSON.stringify(outcome), SECRET)
    t.ok(JSON.stringify(outcome).length < 12_000)
    t.match(outcome, { message: /no: \[secret\]\u{FFFD}$/u })
    t.match(outcome.exchange?.request, /^POST .+\n\{.*C-1042/)
    t.equal(adapter.preview?.(buildCommand()), outcome.exchange?.request, 'and a preview is what was sent')
  })
}

/** Runs the part of the contract about cancelling, for an adapter whose settings say that its provider can. */
export async function testCancelContract(t: Test, subject: Pick<ContractSubject, 'create'>): Promise<void> {
  const cancel = async (t: Test, origin: string, timeoutMs = LONG_TIMEOUT_MS) => {
    const adapter = subject.create(origin, timeoutMs, buildInput(t, { secrets: { unrelated: SECRET } }))
    t.teardown(() => adapter.close())
    return adapter.cancel?.(buildCancelCommand(), patience())
  }

  for (const { when, answer, expected } of CANCEL_CASES) {
    await t.test(`a cancellation is ${expected.kind} on ${when}`, async (t) => {
      const provider = await serve(t, answer)

      t.match(await cancel(t, provider.origin), expected)
      t.equal(provider.received.length, 1, 'and calls once')
      t.equal(provider.received[0]?.method, 'POST')
    })
  }

  await t.test('a cancellation without an answer is ambiguous, and one that nobody heard is retry', async (t) => {
    const provider = await serve(t, () => {})

    t.match(await cancel(t, provider.origin, SHORT_TIMEOUT_MS), { kind: 'ambiguous', code: 'timeout' })
    t.match(await cancel(t, await unusedOrigin()), { kind: 'retry', code: 'connection_refused' })
  })

  await t.test('a cancellation shows what went over the wire, without secrets', async (t) => {
    const provider = await serve(t, (response) => sendJson(response, 400, { message: `no: ${SECRET}` }))

    const outcome = await cancel(t, provider.origin)

    t.notMatch(JSON.stringify(outcome), SECRET)
    t.match(outcome, { message: /no: \[secret\]/, exchange: { request: /^POST .*/, status: 400 } })
  })
}

const CANCEL_CASES: readonly (Omit<AnswerCase, 'expected'> & { readonly expected: { readonly kind: string } })[] = [
  {
    when: '200',
    answer: (response) => sendJson(response, 200, { status: 'CANCELLED' }),
    expected: { kind: 'canceled', exchange: { status: 200 } } as { readonly kind: string },
  },
  { when: '204', answer: (response) => response.writeHead(204).end(), expected: { kind: 'canceled' } },
  {
    when: '409',
    answer: (response) => sendJson(response, 409, { message: 'the task is done' }),
    expected: { kind: 'too_late', code: 'http_409', message: /the task is done/ } as { readonly kind: string },
  },
  {
    when: '409 with Retry-After',
    answer: (response) => sendJson(response, 409, {}, { 'retry-after': '5' }),
    expected: { kind: 'retry' },
  },
  { when: '400', answer: (response) => sendJson(response, 400, {}), expected: { kind: 'rejected' } },
  { when: '401', answer: (response) => sendJson(response, 401, {}), expected: { kind: 'unauthorized' } },
  { when: '404 of the API', answer: (response) => sendJson(response, 404, {}), expected: { kind: 'rejected' } },
  { when: '429', answer: (response) => sendJson(response, 429, {}), expected: { kind: 'throttled' } },
  { when: '500', answer: (response) => sendJson(response, 500, {}), expected: { kind: 'ambiguous' } },
  { when: '503', answer: (response) => sendJson(response, 503, {}), expected: { kind: 'retry' } },
]

function answerCases(subject: ContractSubject): readonly AnswerCase[] {
  const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) => {
    return (response: ServerResponse): void => sendJson(response, status, body, headers)
  }
  const page = (status: number) => (response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'text/html' }).end('<html>Welcome</html>')
  }
  const redirect = (status: number) => (response: ServerResponse) => {
    response.writeHead(status, { location: '/login' }).end()
  }
  const inTenSeconds = new Date(NOW_MS + 10_000).toUTCString()
  return [
    {
      when: '409 with an id',
      answer: json(409, subject.acceptedBody('T-7')),
      expected: { kind: 'accepted', providerTaskId: 'T-7' },
    },
    {
      when: '409 without an id',
      answer: json(409, { message: 'exists' }),
      expected: { kind: 'accepted', providerTaskId: undefined },
    },
    {
      when: '409 with Retry-After',
      answer: json(409, {}, { 'retry-after': '5' }),
      expected: { kind: 'retry', code: 'http_409', retryAfterMs: 5_000 },
    },
    { when: '200 with garbage', answer: page(200), expected: subject.onGarbage200 },
    {
      when: "200 with an error's body",
      answer: json(200, { statusCode: 400, message: 'no' }),
      expected: subject.onErrorUnder200,
    },
    ...([301, 307, 308] as const).map((status) => ({
      when: String(status),
      answer: redirect(status),
      expected: { kind: 'retry', code: 'http_redirect' } as const,
    })),
    ...([302, 303] as const).map((status) => ({
      when: String(status),
      answer: redirect(status),
      expected: { kind: 'ambiguous', code: 'http_redirect' } as const,
    })),
    { when: '304', answer: redirect(304), expected: { kind: 'rejected', code: 'http_redirect' } },
    {
      when: '400',
      answer: json(400, { message: ['commerce is unknown', 'date is past'] }),
      expected: { kind: 'rejected', code: 'http_400', message: /commerce is unknown; date is past/ },
    },
    {
      when: '403',
      answer: json(403, { message: 'no permission' }),
      expected: { kind: 'unauthorized', code: 'http_403' },
    },
    {
      when: '403 that means quota',
      answer: json(403, [{ errorCode: 'REQUEST_LIMIT_EXCEEDED' }], { 'retry-after': '9' }),
      expected: { kind: 'throttled', code: 'http_403_quota', retryAfterMs: 9_000 },
    },
    {
      when: '404 of the API',
      answer: json(404, { message: 'commerce C-1042' }),
      expected: { kind: 'rejected', code: 'http_404', message: /commerce C-1042/ },
    },
    { when: '404 of a gateway', answer: page(404), expected: { kind: 'retry', code: 'http_404' } },
    { when: '408', answer: json(408, {}), expected: { kind: 'retry', code: 'http_408' } },
    { when: '413', answer: page(413), expected: { kind: 'rejected', code: 'http_413' } },
    {
      when: '422',
      answer: json(422, { errorCode: 'VA4220', message: 'bad date' }),
      expected: { kind: 'rejected', code: 'http_422', message: /VA4220: bad date/ },
    },
    { when: '425', answer: json(425, {}), expected: { kind: 'retry', code: 'http_425' } },
    { when: '429', answer: json(429, {}), expected: { kind: 'throttled', code: 'http_429', retryAfterMs: undefined } },
    {
      when: '429 with seconds',
      answer: json(429, {}, { 'retry-after': '7' }),
      expected: { kind: 'throttled', retryAfterMs: 7_000 },
    },
    {
      when: '429 with a date',
      answer: json(429, {}, { 'retry-after': inTenSeconds }),
      expected: { kind: 'throttled', retryAfterMs: 10_000 },
    },
    { when: '500', answer: json(500, { message: 'oops' }), expected: { kind: 'ambiguous', code: 'http_500' } },
    { when: '501', answer: page(501), expected: { kind: 'retry', code: 'http_501' } },
    { when: '502', answer: page(502), expected: { kind: 'ambiguous', code: 'http_502' } },
    { when: '503', answer: page(503), expected: { kind: 'retry', code: 'http_503', retryAfterMs: undefined } },
    {
      when: '503 with Retry-After',
      answer: json(503, {}, { 'retry-after': '30' }),
      expected: { kind: 'retry', retryAfterMs: 30_000 },
    },
    { when: '504', answer: page(504), expected: { kind: 'ambiguous', code: 'http_504' } },
    { when: '521', answer: page(521), expected: { kind: 'retry', code: 'http_521' } },
    { when: '524', answer: page(524), expected: { kind: 'ambiguous', code: 'http_524' } },
  ]
}

function trickle(socket: Socket): void {
  socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
  const timer = setInterval(() => socket.write('1\r\nx\r\n'), 10)
  socket.on('close', () => clearInterval(timer))
}
