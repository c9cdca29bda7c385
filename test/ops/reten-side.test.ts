import t from 'tap'
import { createHttpClient } from '../../src/http-client.ts'
import { createRetenActivitiesClient } from '../../src/reten/activities-client.ts'
import { startReten } from '../sandbox/start-reten.ts'
import { sendJson, serve } from '../support/local-server.ts'
import { addConnectionRow, createOpsFixture, storeDispatch } from './ops-fixture.ts'

const http = createHttpClient()
t.teardown(() => http.close())

let retenUrl = ''
let apiKey: string | undefined = ''
const { ask, db } = await createOpsFixture(t, {
  retenActivitiesOf: (connection) =>
    connection === 'acme' && apiKey !== undefined
      ? createRetenActivitiesClient({ baseUrl: retenUrl, credentials: { apiKey }, http, timeoutMs: 2_000 })
      : undefined,
})
await addConnectionRow(db)

t.test('GET /admin/dispatches/{id}?reten=true', async (t) => {
  t.test('adds what Reten says of the activity, and leaves ours as it is', async (t) => {
    const reten = await startReten(t)
    retenUrl = reten.url
    apiKey = reten.ready.apiKey
    const activityId = reten.createActivities(1)[0]?.id ?? ''
    const id = await storeDispatch(db, activityId)

    const shown = (await ask('operator', { url: `/admin/dispatches/${id}?reten=true` })).json()
    const { reten: theirs, ...ours } = shown

    t.match(theirs, {
      status: { value: 'READY', fault: null },
      statusEvents: { value: [{ eventType: 'CREATED' }], fault: null },
      activity: { value: { id: activityId }, fault: null },
      attributes: { value: [], fault: null },
    })
    t.same(ours, (await ask('operator', { url: `/admin/dispatches/${id}` })).json())
    const seen = (await ask('viewer', { url: `/admin/dispatches/${id}?reten=true` })).json()
    t.same(Object.keys(seen.reten), ['status', 'statusEvents'], 'a viewer sees nothing that is a body')
  })

  t.test('says of each part why it cannot be read, and shows the others', async (t) => {
    const server = await serve(t, (response, { path }) => {
      if (path.endsWith('/status-events')) sendJson(response, 403, { message: 'Insufficient permissions' })
      else if (path.endsWith('/attributes')) response.writeHead(502).end('<html>')
      else sendJson(response, 200, { status: 'DISPATCHED' })
    })
    retenUrl = server.origin
    apiKey = 'rtn_sk_0123456789'
    const id = await storeDispatch(db, 'a1')

    const answer = await ask('operator', { url: `/admin/dispatches/${id}?reten=true` })

    t.equal(answer.statusCode, 200)
    t.match(answer.json().reten, {
      status: { value: 'DISPATCHED', fault: null },
      statusEvents: { value: null, fault: { code: 'http_403', message: 'Insufficient permissions' } },
      attributes: { value: null, fault: { code: 'http_502', message: 'Reten answered 502' } },
    })
    t.match(server.received, [{ path: '/api/activities/a1' }, {}, {}])
  })

  t.test('says so where the connection has no key for Reten, or nobody answers', async (t) => {
    const id = await storeDispatch(db, 'a2')
    const ask1 = async () => (await ask('viewer', { url: `/admin/dispatches/${id}?reten=true` })).json().reten

    apiKey = undefined
    t.match(await ask1(), { status: { value: null, fault: { code: 'no_reten_key' } } })
    apiKey = 'rtn_sk_0123456789'
    retenUrl = 'http://127.0.0.1:1'
    t.match(await ask1(), { statusEvents: { value: null, fault: { code: 'connection_refused' } } })
  })

  t.test('asks Reten only when it is told to', async (t) => {
    const server = await serve(t, (response) => sendJson(response, 200, {}))
    retenUrl = server.origin
    const id = await storeDispatch(db, 'a3')

    t.notOk('reten' in (await ask('operator', { url: `/admin/dispatches/${id}` })).json())

    const refused = await ask('operator', { url: `/admin/dispatches/${id}?reten=yes` })
    t.match(refused.json(), { statusCode: 400, code: 'RCV_QUERY_INVALID', details: [{ path: 'reten' }] })
    t.same(server.received, [])
  })
})
