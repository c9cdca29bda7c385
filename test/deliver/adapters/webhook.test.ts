import t from 'tap'
import { createWebhookAdapter } from '../../../src/deliver/adapters/webhook.ts'
import { sendJson, serve } from '../../support/local-server.ts'
import { buildCancelCommand, buildCommand, buildInput, patience } from './adapter-fixture.ts'
import { testAdapterContract, testCancelContract } from './contract.ts'
import { testWireContract } from './wire-contract.ts'

t.test('createWebhookAdapter', async (t) => {
  await t.test('keeps the contract', (t) =>
    testAdapterContract(t, {
      create: (origin, timeoutMs, input) =>
        createWebhookAdapter({ ...input, settings: { url: `${origin}/hook`, timeout_ms: timeoutMs } }),
      acceptedBody: (id) => ({ providerTaskId: id }),
      // Its contract is ours: a 2xx takes the delivery, whatever stands in the body.
      onGarbage200: { kind: 'accepted', providerTaskId: undefined },
      onErrorUnder200: { kind: 'accepted', providerTaskId: undefined },
    }),
  )

  await t.test('keeps the contract of cancelling', (t) =>
    testCancelContract(t, {
      create: (origin, timeoutMs, input) => {
        const settings = { url: `${origin}/hook`, cancel_url: `${origin}/cancel?sig=hush`, timeout_ms: timeoutMs }
        return createWebhookAdapter({ ...input, settings })
      },
    }),
  )

  t.test('posts a cancellation with every id to the URL for it, which is shown without its query', async (t) => {
    const provider = await serve(t, (response) => sendJson(response, 200, {}))
    const settings = { url: `${provider.origin}/hook`, cancel_url: `${provider.origin}/cancel?sig=hush` }
    const input = buildInput(t, { settings, secrets: { auth_token: 'tok-1234' } })
    const command = buildCancelCommand()

    const outcome = await createWebhookAdapter(input).cancel?.(command, patience())

    const [request] = provider.received
    t.match(request, {
      path: '/cancel?sig=hush',
      headers: { authorization: 'Bearer tok-1234', 'idempotency-key': command.idempotencyKey },
    })
    t.same(JSON.parse(request?.body ?? ''), command)
    t.notMatch(JSON.stringify(outcome), /hush/)
  })

  t.test('cancels nothing without a URL for it', async (t) => {
    t.notOk('cancel' in createWebhookAdapter(buildInput(t, { settings: { url: 'https://hooks.example' } })))
  })

  await t.test('understands bytes', (t) =>
    testWireContract(t, {
      create: (origin, timeoutMs, input) =>
        createWebhookAdapter({ ...input, settings: { url: `${origin}/hook`, timeout_ms: timeoutMs } }),
      onUnreadable2xx: { kind: 'accepted', providerTaskId: undefined },
    }),
  )

  t.test('posts the activity as read and the body as sent, with the token and the key', async (t) => {
    const provider = await serve(t, (response) => sendJson(response, 200, {}))
    const input = buildInput(t, {
      settings: { url: `${provider.origin}/hook?x=1` },
      secrets: { auth_token: 'tok-1234' },
    })
    const command = buildCommand()

    await createWebhookAdapter(input).deliver(command, patience())

    const [request] = provider.received
    t.match(request, {
      method: 'POST',
      path: '/hook?x=1',
      headers: {
        authorization: 'Bearer tok-1234',
        'idempotency-key': command.dispatchId,
        'content-type': 'application/json',
      },
    })
    t.same(JSON.parse(request?.body ?? ''), {
      dispatchId: command.dispatchId,
      idempotencyKey: command.dispatchId,
      connection: 'acme',
      activity: command.activity,
      body: command.body,
    })
  })

  t.test('sends no authorization without a token', async (t) => {
    const provider = await serve(t, (response) => sendJson(response, 200, {}))

    await createWebhookAdapter(buildInput(t, { settings: { url: provider.origin } })).deliver(
      buildCommand(),
      patience(),
    )

    t.equal(provider.received[0]?.headers.authorization, undefined)
  })

  t.test('is unauthorized on 401', async (t) => {
    const provider = await serve(t, (response) => sendJson(response, 401, { message: 'token expired' }))
    const adapter = createWebhookAdapter(buildInput(t, { settings: { url: provider.origin } }))

    const outcome = await adapter.deliver(buildCommand(), patience())

    t.match(outcome, { kind: 'unauthorized', code: 'http_401', message: 'the webhook answered 401: token expired' })
  })

  t.test("never shows the URL's query", async (t) => {
    const adapter = createWebhookAdapter(buildInput(t, { settings: { url: 'https://hooks.example/x?sig=hush' } }))

    t.notMatch(adapter.preview?.(buildCommand()), /hush/)
  })

  t.test('declares what its settings say it can do', async (t) => {
    const settings = { url: 'https://hooks.example', idempotency: 'none', completion: 'reply' }

    const adapter = createWebhookAdapter(buildInput(t, { settings }))

    t.same(adapter.capabilities, { idempotency: 'none', completion: 'reply' })
    t.same(createWebhookAdapter(buildInput(t, { settings: { url: 'https://hooks.example' } })).capabilities, {
      idempotency: 'key',
      completion: 'webhook',
    })
  })

  t.test('names every wrong setting at once', async (t) => {
    const settings = { url: 'ftp://x', idempotency: 'lookup', timeout_ms: 0.5, colour: 'red' }
    const input = buildInput(t, { settings, secrets: { auth_token: 'with space' } })

    t.throws(() => createWebhookAdapter(input), {
      code: 'RCV_ADAPTER_SETTINGS',
      details: [
        { path: 'url', message: 'must be an http or https URL' },
        { path: 'auth_token', message: 'holds a space, a line end or a character that is not ASCII' },
        { path: 'idempotency', message: 'must be one of key, none, not "lookup"' },
        { path: 'timeout_ms', message: 'must be a whole number from 100 to 45000, not 0.5' },
        { path: 'colour', message: 'is not known' },
      ],
    })
  })
})
