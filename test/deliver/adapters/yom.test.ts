import type { ServerResponse } from 'node:http'
import t from 'tap'
import type { Test } from 'tap'
import type { Adapter, AdapterInput } from '../../../src/deliver/adapters/adapter.ts'
import { createYomAdapter } from '../../../src/deliver/adapters/yom.ts'
import { sendJson, serve, unusedOrigin } from '../../support/local-server.ts'
import type { Answerer, LocalServer } from '../../support/local-server.ts'
import { buildActivity, buildCancelCommand, buildCommand, buildInput, patience } from './adapter-fixture.ts'
import { testAdapterContract, testCancelContract } from './contract.ts'
import { testWireContract } from './wire-contract.ts'

const API_KEY = 'yom-key-1234'

const open = (
  t: Test,
  provider: Pick<LocalServer, 'origin'>,
  settings: Readonly<Record<string, unknown>> = {},
  overrides: Partial<AdapterInput> = {},
): Adapter => {
  const adapter = createYomAdapter(
    buildInput(t, {
      settings: { base_url: `${provider.origin}/api/v2`, ...settings },
      secrets: { api_key: API_KEY },
      ...overrides,
    }),
  )
  t.teardown(() => adapter.close())
  return adapter
}

t.test('createYomAdapter', async (t) => {
  await t.test('keeps the contract', (t) =>
    testAdapterContract(t, {
      create: (origin, timeoutMs, input) =>
        createYomAdapter({
          ...input,
          settings: { base_url: `${origin}/api/v2`, timeout_ms: timeoutMs },
          secrets: { ...input.secrets, api_key: API_KEY },
        }),
      acceptedBody: (id) => ({ internalTaskId: id }),
      onGarbage200: { kind: 'ambiguous', code: 'answer_unreadable' },
      onErrorUnder200: { kind: 'ambiguous', code: 'error_under_2xx', message: /no$/ },
    }),
  )

  await t.test('understands bytes', (t) =>
    testWireContract(t, {
      create: (origin, timeoutMs, input) =>
        createYomAdapter({
          ...input,
          settings: { base_url: `${origin}/api/v2`, timeout_ms: timeoutMs },
          secrets: { ...input.secrets, api_key: API_KEY },
        }),
      onUnreadable2xx: { kind: 'ambiguous', code: 'answer_unreadable' },
    }),
  )

  t.test('takes a 409 for its own task as far as it can tell', async (t) => {
    const { idempotencyKey } = buildCommand()
    const ours = { kind: 'accepted' }
    const unproven = { kind: 'ambiguous', code: 'duplicate_unproven', message: /409/ }
    const cases = [
      [{ internalTaskId: 'T-1' }, ours, ours, ours],
      [{ data: { internalTaskId: 'T-1', externalId: idempotencyKey } }, ours, ours, ours],
      [{ externalId: idempotencyKey }, ours, ours, ours],
      [{ internalTaskId: 'T-1', externalId: 'another' }, unproven, unproven, unproven],
      [{ data: { id: 'T-1', externalId: 'another' } }, unproven, unproven, unproven],
      [{ message: 'the seller is busy' }, ours, unproven, unproven],
      ['', ours, unproven, unproven],
    ] as const
    for (const [body, ...expected] of cases) {
      for (const [number, idempotency] of (['key', 'lookup', 'none'] as const).entries()) {
        const provider = await serve(t, (response) => sendJson(response, 409, body))
        const outcome = await open(t, provider, { idempotency }).deliver(buildCommand(), patience())
        t.match(outcome, expected[number] ?? {}, `${JSON.stringify(body)} where ${idempotency}`)
      }
    }
  })

  t.test('posts the task with the ids in the words of YOM', async (t) => {
    const provider = await serve(t, (response) => sendJson(response, 201, { internalTaskId: 'T-1' }))
    const command = buildCommand()

    await open(t, provider).deliver(command, patience())

    const [request] = provider.received
    t.match(request, {
      method: 'POST',
      path: '/api/v2/activities',
      headers: { 'x-api-key': API_KEY, 'idempotency-key': command.dispatchId, 'content-type': 'application/json' },
    })
    t.same(JSON.parse(request?.body ?? ''), {
      externalId: command.dispatchId,
      dispatchId: command.dispatchId,
      activityId: command.activity.activityId,
      type: 'TASK',
      channel: 'SALESMAN',
      commerceId: 'C-1042',
      sellerId: 'V-17',
      sellerRouteId: 'R-05',
      scheduledAt: '2026-05-04T13:00:00.000Z',
      reason: { code: 'retention', label: 'Retención' },
      attributes: { commerce_info: { segment: 'B' } },
    })
  })

  t.test('leaves out what the activity does not have', async (t) => {
    const provider = await serve(t, (response) => sendJson(response, 201, {}))
    const activity = { activityId: 'a-1', type: 'TASK', commerceExternalId: 'C-1', attributes: {} }
    const command = buildCommand({ activity, idempotencyKey: 'd-1-r1', dispatchId: 'd-1' })

    await open(t, provider).deliver(command, patience())

    t.same(JSON.parse(provider.received[0]?.body ?? ''), {
      externalId: 'd-1-r1',
      dispatchId: 'd-1',
      activityId: 'a-1',
      type: 'TASK',
      commerceId: 'C-1',
    })
  })

  t.test('posts to the path of its settings', async (t) => {
    const provider = await serve(t, (response) => sendJson(response, 201, {}))

    await open(t, provider, { task_path: '/field/tasks/' }).deliver(buildCommand(), patience())

    t.equal(provider.received[0]?.path, '/api/v2/field/tasks')
  })

  t.test('takes the id from any of the places where it may stand', async (t) => {
    const bodies = [
      { internalTaskId: 'T-1', id: 'no' },
      { internalActivityId: 'T-1', id: 'no' },
      { id: 'T-1', taskId: 'no' },
      { taskId: 'T-1' },
      { data: { id: 'T-1' } },
      { internalTaskId: '', id: 'T-1' },
      { internalTaskId: 'x'.repeat(201), id: 'T-1' },
      { id: 'T-1', errorCode: 'WARN' },
    ]
    const provider = await serve(t, (response, _request, number) => sendJson(response, 201, bodies[number - 1]))
    const adapter = open(t, provider)

    for (const body of bodies) {
      const outcome = await adapter.deliver(buildCommand(), patience())
      t.match(outcome, { kind: 'accepted', providerTaskId: 'T-1' }, JSON.stringify(body))
    }
  })

  t.test('keeps every digit of a long numeric id', async (t) => {
    const provider = await serve(t, (response) => response.writeHead(201).end('{"id":9007199254740993123}'))

    const outcome = await open(t, provider).deliver(buildCommand(), patience())

    t.match(outcome, { kind: 'accepted', providerTaskId: '9007199254740993123' })
  })

  t.test("is ambiguous on a 2xx whose body is an error's, in any of its usual shapes", async (t) => {
    const bodies = [
      { errorCode: 'AB4001', message: 'no' },
      { name: 'ValidationError', message: 'no' },
      { error: 'Bad Request' },
      { error: { message: 'no' } },
      { errors: ['no'] },
      { errors: { field: 'no' } },
      { success: false },
      { statusCode: 500 },
      { status: 422 },
      { status: 'error' },
    ]
    const provider = await serve(t, (response, _request, number) => sendJson(response, 200, bodies[number - 1]))
    const adapter = open(t, provider)

    for (const body of bodies) {
      const outcome = await adapter.deliver(buildCommand(), patience())
      t.match(outcome, { kind: 'ambiguous', code: 'error_under_2xx' }, JSON.stringify(body))
    }
  })

  t.test('is ambiguous on a 2xx that is JSON but no object', async (t) => {
    const bodies = ['null', '[]', '"OK"', 'true', '7']
    const provider = await serve(t, (response, _request, number) => response.end(bodies[number - 1]))
    const adapter = open(t, provider)

    for (const body of bodies) {
      t.match(await adapter.deliver(buildCommand(), patience()), { kind: 'ambiguous', code: 'answer_unreadable' }, body)
    }
  })

  t.test('is unauthorized at once when the key is refused', async (t) => {
    const provider = await serve(t, (response) => sendJson(response, 401, { errorCode: 'AU401', name: 'KeyError' }))

    const outcome = await open(t, provider).deliver(buildCommand(), patience())

    t.match(outcome, { kind: 'unauthorized', code: 'http_401', message: /AU401/ })
    t.equal(provider.received.length, 1)
  })

  t.test('declares what its settings say of YOM', async (t) => {
    const provider = { origin: 'https://yom.example' }

    t.same(open(t, provider).capabilities, { idempotency: 'key', completion: 'webhook' })
    t.notOk('lookup' in open(t, provider))
    t.same(open(t, provider, { idempotency: 'none', completion: 'none' }).capabilities, {
      idempotency: 'none',
      completion: 'none',
    })
    t.ok('lookup' in open(t, provider, { idempotency: 'lookup' }))
  })

  t.test('refuses settings', async (t) => {
    const refusals: readonly (readonly [object, Readonly<Record<string, string>>, object])[] = [
      [{}, { api_key: API_KEY }, { path: 'base_url', message: 'is required' }],
      [{ base_url: 'yom' }, { api_key: API_KEY }, { path: 'base_url', message: 'must be an http or https URL' }],
      [{ base_url: 'https://u:p@y.example' }, { api_key: API_KEY }, { message: 'must not hold a user or a password' }],
      [{ base_url: 'https://y.example/#a' }, { api_key: API_KEY }, { message: 'must not hold a fragment' }],
      [{ base_url: 'https://y.example/?a=b' }, { api_key: API_KEY }, { message: 'must not hold a query' }],
      [{ base_url: 'https://y.example', task_path: 'tasks' }, { api_key: API_KEY }, { path: 'task_path' }],
      [{ base_url: 'https://y.example', timeout_ms: '5' }, { api_key: API_KEY }, { path: 'timeout_ms' }],
      [{ base_url: 'https://y.example', idempotency: 'yes' }, { api_key: API_KEY }, { path: 'idempotency' }],
      [
        { base_url: 'https://y.example' },
        {},
        { path: 'api_key', message: 'is required, or client_id and client_secret' },
      ],
      [{ base_url: 'https://y.example' }, { client_id: 'c' }, { path: 'client_secret' }],
      [{ base_url: 'https://y.example' }, { client_secret: 'c' }, { path: 'client_id' }],
      [{ base_url: 'https://y.example' }, { api_key: API_KEY, client_id: 'c' }, { message: /one way to sign in/ }],
      [{ base_url: 'https://y.example' }, { api_key: 'two words' }, { path: 'api_key' }],
    ]
    for (const [settings, secrets, fault] of refusals) {
      t.throws(
        () => createYomAdapter(buildInput(t, { settings: { ...settings }, secrets })),
        { code: 'RCV_ADAPTER_SETTINGS', details: [fault] },
        JSON.stringify(fault),
      )
    }
  })
})

t.test('cancel of createYomAdapter', async (t) => {
  await t.test('keeps the contract', (t) =>
    testCancelContract(t, {
      create: (origin, timeoutMs, input) =>
        createYomAdapter({
          ...input,
          settings: { base_url: `${origin}/api/v2`, timeout_ms: timeoutMs, cancel: 'post' },
          secrets: { ...input.secrets, api_key: API_KEY },
        }),
    }),
  )

  t.test('is not there unless a setting says that YOM can', async (t) => {
    t.notOk('cancel' in open(t, { origin: 'https://yom.example' }))
  })

  t.test("posts to the task by YOM's own id, whatever characters that has", async (t) => {
    const provider = await serve(t, (response) => sendJson(response, 200, { status: 'CANCELLED' }))

    const adapter = open(t, provider, { cancel: 'post' })
    const outcome = await adapter.cancel?.(buildCancelCommand({ providerTaskId: 'T/1 ?' }), patience())

    t.match(outcome, { kind: 'canceled' })
    t.match(provider.received, [
      { method: 'POST', path: '/api/v2/activities/T%2F1%20%3F/cancel', headers: { 'x-api-key': API_KEY } },
    ])
  })

  t.test("does not take an error's body, or a page, under a good status for a cancellation", async (t) => {
    const provider = await serve(t, (response, _request, number) =>
      number === 1 ? sendJson(response, 200, { success: false, message: 'no' }) : response.end('<html>'),
    )
    const adapter = open(t, provider, { cancel: 'post' })

    for (const _ of [1, 2]) {
      t.match(await adapter.cancel?.(buildCancelCommand(), patience()), { kind: 'ambiguous', code: 'error_under_2xx' })
    }
  })

  t.test('searches for the task where no answer told its id', async (t) => {
    const command = buildCancelCommand({ providerTaskId: undefined })
    const rows = [{ externalId: command.idempotencyKey, internalTaskId: 'T-2' }]
    const cancelAfter = async (t: Test, answer: Answerer) => {
      const provider = await serve(t, (response, request, number) =>
        request.method === 'GET' ? answer(response, request, number) : sendJson(response, 200, {}),
      )
      const outcome = await open(t, provider, { cancel: 'post', idempotency: 'lookup' }).cancel?.(command, patience())
      return { outcome, paths: provider.received.map(({ path }) => path) }
    }

    const found = await cancelAfter(t, (response) => sendJson(response, 200, rows))
    t.match(found.outcome, { kind: 'canceled' })
    t.equal(found.paths.at(-1), '/api/v2/activities/T-2/cancel')

    const absent = await cancelAfter(t, (response) => sendJson(response, 200, []))
    t.match(absent, { outcome: { kind: 'canceled' }, paths: { length: 1 } }, 'there is nothing to cancel')

    t.match((await cancelAfter(t, (response) => sendJson(response, 503, {}))).outcome, { kind: 'ambiguous' })
  })

  t.test('is rejected where no answer told its id and YOM cannot be searched', async (t) => {
    const adapter = open(t, { origin: await unusedOrigin() }, { cancel: 'post' })

    t.match(await adapter.cancel?.(buildCancelCommand({ providerTaskId: undefined }), patience()), {
      kind: 'rejected',
      code: 'task_id_unknown',
    })
  })
})

t.test('lookup of createYomAdapter', async (t) => {
  const command = buildCommand()
  const lookUp = async (t: Test, answer: Answerer) => {
    const provider = await serve(t, answer)
    const adapter = open(t, provider, { idempotency: 'lookup' })
    return { provider, outcome: await adapter.lookup?.(command, patience()) }
  }

  t.test('asks the list of tasks for our id', async (t) => {
    const { provider } = await lookUp(t, (response) => sendJson(response, 200, []))

    t.match(provider.received, [
      {
        method: 'GET',
        path: `/api/v2/activities?externalId=${command.dispatchId}`,
        headers: { 'x-api-key': API_KEY },
      },
    ])
  })

  t.test('is accepted when a row is ours', async (t) => {
    const rows = [
      { externalId: 'another', id: 'T-1' },
      { externalId: command.dispatchId, internalTaskId: 'T-2' },
    ]
    for (const body of [rows, { data: rows, pagination: {} }]) {
      const { outcome } = await lookUp(t, (response) => sendJson(response, 200, body))
      t.match(outcome, { kind: 'accepted', providerTaskId: 'T-2' })
    }
  })

  t.test('is retry when the list is empty', async (t) => {
    for (const body of [[], { data: [] }]) {
      const { outcome } = await lookUp(t, (response) => sendJson(response, 200, body))
      t.match(outcome, { kind: 'retry', code: 'not_found' })
    }
  })

  t.test('is ambiguous when the answer cannot tell', async (t) => {
    const answers: readonly Answerer[] = [
      (response) => sendJson(response, 200, [{ externalId: 'another', id: 'T-1' }]),
      (response) => sendJson(response, 200, [{ id: 'T-1' }]),
      (response) => sendJson(response, 200, { message: 'hello' }),
      (response) => response.end('<html>'),
      (response) => sendJson(response, 404, { message: 'Not Found' }),
      (response) => response.writeHead(404).end('<html>'),
      (response) => sendJson(response, 400, { message: 'no such filter' }),
      (response) => sendJson(response, 503, {}),
      (response) => response.destroy(),
    ]
    for (const answer of answers) t.match((await lookUp(t, answer)).outcome, { kind: 'ambiguous' })
  })

  t.test('says so when it is not let in: neither a limit nor a key is the fault of the task', async (t) => {
    const refuse = (status: number) => (response: ServerResponse) => sendJson(response, status, {})

    t.match((await lookUp(t, refuse(429))).outcome, { kind: 'throttled', code: 'http_429' })
    t.match((await lookUp(t, refuse(401))).outcome, { kind: 'unauthorized', code: 'http_401' })
  })

  t.test('is ambiguous where nobody listens', async (t) => {
    const adapter = open(t, { origin: await unusedOrigin() }, { idempotency: 'lookup' })

    t.match(await adapter.lookup?.(command, patience()), { kind: 'ambiguous', code: 'lookup_connection_refused' })
  })

  t.test('does not take the first delivery for a deliberate second one', async (t) => {
    const provider = await serve(t, (response) =>
      sendJson(response, 200, [{ externalId: command.dispatchId, id: 'T-1' }]),
    )
    const adapter = open(t, provider, { idempotency: 'lookup' })

    const outcome = await adapter.lookup?.(
      buildCommand({ idempotencyKey: `${command.dispatchId}-r1`, activity: buildActivity() }),
      patience(),
    )

    t.match(outcome, { kind: 'ambiguous' })
  })
})
