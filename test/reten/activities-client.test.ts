import t from 'tap'
import type { Test } from 'tap'
import { createHttpClient } from '../../src/http-client.ts'
import { createRetenActivitiesClient } from '../../src/reten/activities-client.ts'
import type { RetenCredentials } from '../../src/reten/reten-call.ts'
import { startReten } from '../sandbox/start-reten.ts'
import { sendJson, serve } from '../support/local-server.ts'

const never = (): AbortSignal => new AbortController().signal

const open = (t: Test, baseUrl: string, credentials: RetenCredentials = { apiKey: 'rtn_sk_0123456789abcdef' }) => {
  const http = createHttpClient()
  t.teardown(() => http.close())
  return createRetenActivitiesClient({ baseUrl, credentials, http })
}

t.test('createRetenActivitiesClient', async (t) => {
  t.test('reads an activity, what happened to it and its attributes, by either way to authenticate', async (t) => {
    const reten = await startReten(t)
    const [activity] = reten.createActivities(1)
    const id = activity?.id ?? ''
    const { apiKey, tenant } = reten.ready
    const ways: readonly RetenCredentials[] = [{ apiKey }, { token: reten.createToken('VIEWER'), tenantId: tenant.id }]
    for (const credentials of ways) {
      const client = open(t, reten.url, credentials)

      t.match(await client.readActivity(id, never()), { kind: 'ok', value: { id, status: 'READY', type: 'TASK' } })
      t.match(await client.listStatusEvents(id, never()), {
        kind: 'ok',
        value: [{ eventType: 'CREATED', fromStatus: null, toStatus: 'READY' }],
      })
      t.match(await client.listAttributes(id, never()), { kind: 'ok' })
      t.match(await client.listActivities({}, never()), { kind: 'ok', value: { data: [{ id }], meta: { total: 1 } } })
    }
    t.match(await open(t, reten.url).readActivity(id, never()), { kind: 'refused', status: 401 })
  })

  t.test('pages by either name of the page size', async (t) => {
    const reten = await startReten(t)
    const made = reten.createActivities(5)
    const client = open(t, reten.url, { apiKey: reten.ready.apiKey })

    for (const pageSizeName of ['per_page', 'limit', undefined] as const) {
      const seen: string[] = []
      for (const page of [1, 2, 3]) {
        const answer = await client.listActivities({ page, pageSize: 2, pageSizeName }, never())
        t.match(answer, { kind: 'ok', value: { meta: { page, limit: 2, total: 5, totalPages: 3 } } })
        if (answer.kind === 'ok') seen.push(...answer.value.data.map(({ id }) => id))
      }
      t.same(new Set(seen), new Set(made.map(({ id }) => id)), String(pageSizeName))
    }
  })

  t.test('sends the filters that are given, by the names of Reten', async (t) => {
    const server = await serve(t, (response) => sendJson(response, 200, { data: [], meta: {} }))

    await open(t, server.origin).listActivities(
      {
        page: 2,
        pageSize: 100,
        search: 'a b',
        status: 'READY',
        type: 'TASK',
        channel: 'SALESMAN',
        commerceId: 'c-1',
        scheduledFrom: '2026-05-01T00:00:00Z',
        scheduledTo: '2026-05-02T00:00:00Z',
      },
      never(),
    )

    t.equal(
      server.received[0]?.path,
      '/api/activities?page=2&per_page=100&search=a+b&status=READY&type=TASK&channel=SALESMAN&commerce_id=c-1' +
        '&scheduled_from=2026-05-01T00%3A00%3A00Z&scheduled_to=2026-05-02T00%3A00%3A00Z',
    )
  })

  t.test('takes any object for an activity, and for the rest only what is documented', async (t) => {
    const answers: Readonly<Record<string, unknown>> = {
      '/api/activities/a': { surprising: [1] },
      '/api/activities/a/status-events': [{ eventType: 'SOMETHING_NEW', more: true }],
      '/api/activities/a/attributes': [{ attributeKeyId: 'k-1', value: [{ any: 'json' }] }],
      '/api/activities/b': ['no object'],
      '/api/activities/b/status-events': { data: [] },
      '/api/activities/b/attributes': [{ value: 'of which key?' }],
    }
    const server = await serve(t, (response, { path }) => sendJson(response, 200, answers[path]))
    const client = open(t, server.origin)

    t.match(await client.readActivity('a', never()), { kind: 'ok', value: answers['/api/activities/a'] })
    t.match(await client.listStatusEvents('a', never()), { kind: 'ok' })
    t.match(await client.listAttributes('a', never()), { kind: 'ok', value: [{ value: [{ any: 'json' }] }] })
    const unreadable = { kind: 'unavailable', code: 'answer_unreadable' }
    t.match(await client.readActivity('b', never()), { ...unreadable, message: /its body must be an object/ })
    t.match(await client.listStatusEvents('b', never()), { ...unreadable, message: /must be an array/ })
    t.match(await client.listAttributes('b', never()), { ...unreadable, message: /attributeKeyId is required/ })
  })

  t.test('asks for no other address, whatever an id looks like', async (t) => {
    const server = await serve(t, (response) => sendJson(response, 200, {}))
    const client = open(t, server.origin)

    await client.readActivity('../api-keys?x=1#y', never())
    for (const id of ['', '.', '..']) t.match(await client.readActivity(id, never()), { kind: 'refused', status: 404 })

    t.same(
      server.received.map(({ path }) => path),
      ['/api/activities/..%2Fapi-keys%3Fx%3D1%23y'],
    )
  })

  t.test('shows neither key nor token in what went over the wire', async (t) => {
    const server = await serve(t, (response, { headers }) =>
      sendJson(response, 400, { message: JSON.stringify(headers) }),
    )
    for (const credentials of [{ apiKey: 'rtn_sk_0123' }, { token: 'a-token-0123', tenantId: 't-1' }]) {
      const answer = await open(t, server.origin, credentials).readActivity('a', never())
      t.match(answer, { kind: 'refused', message: /\[secret\]/ })
      t.notMatch(JSON.stringify(answer), /0123/)
    }
    t.match(server.received, [
      { headers: { 'x-api-key': 'rtn_sk_0123' } },
      { headers: { authorization: 'Bearer a-token-0123', 'x-tenant-id': 't-1' } },
    ])
    t.notOk('x-tenant-id' in (server.received[0]?.headers ?? {}), 'a key names its tenant')
  })
})
