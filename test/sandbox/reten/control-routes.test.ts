import t from 'tap'
import { callJson, rowsOf } from '../call-json.ts'
import { startReceiver } from '../start-receiver.ts'
import { startReten } from '../start-reten.ts'

t.test('/sandbox on Reten’s stand-in', async (t) => {
  t.test('takes a person with curl from nothing to a dispatched activity', async (t) => {
    const reten = await startReten(t)
    const receiver = await startReceiver()
    t.teardown(() => receiver.close())
    const sandbox = `${reten.url}/sandbox`

    const tenant = await callJson(`${sandbox}/tenants`, { body: { code: 'acme', commerces: 3, operators: 1 } })
    t.match(tenant, {
      status: 201,
      body: { code: 'acme', apiKey: /^rtn_sk_/, commerces: ['C-1001', 'C-1002', 'C-1003'] },
    })
    const configs = { tenant: 'acme', baseUrl: receiver.url, apiKey: 'k' }
    t.match(await callJson(`${sandbox}/dispatch-configs`, { body: configs }), { status: 201 })
    const made = await callJson(`${sandbox}/activities`, { body: { tenant: 'acme', count: 5, channel: 'CALLCENTER' } })
    t.match(made, { status: 201, body: { count: 5 } })
    t.match(await callJson(`${sandbox}/dispatch`, { method: 'POST' }), { body: { attempted: 5, dispatched: 5 } })

    t.match(await callJson(`${sandbox}/counts`), { body: { activities: 5, acknowledged: 5, doubled: 0 } })
    t.match(await callJson(`${sandbox}/counts?tenant=demo`), { body: { activities: 0 } })
    const table = await callJson(`${sandbox}/activities?tenant=acme&status=DISPATCHED&limit=2`)
    t.match(table.body, {
      data: [{ pushes: [{ outcome: 'acknowledged', providerActivityId: String }] }, {}],
      meta: { total: 5 },
    })
    const [row] = rowsOf(table)
    t.match(await callJson(`${sandbox}/activities/${String(row?.['id'])}`), {
      body: { id: row?.['id'], events: Array },
    })
    t.match(await callJson(`${sandbox}/activities/unknown`), { status: 404 })
  })

  t.test('is usable without any setup', async (t) => {
    const reten = await startReten(t)

    t.match(await callJson(`${reten.url}/sandbox`), {
      body: {
        tenants: [{ code: 'demo', commerces: ['C-1001'], operators: ['V-01'], resultTypes: ['SALE_COMPLETED'] }],
      },
    })
  })

  t.test('issues keys and tokens', async (t) => {
    const reten = await startReten(t)

    const key = await callJson(`${reten.url}/sandbox/api-keys`, { body: { permissions: ['VIEW_ACTIVITIES'] } })
    const token = await callJson(`${reten.url}/sandbox/tokens`, { body: { role: 'VIEWER' } })

    const headers = {
      authorization: `Bearer ${String(token.body['token'])}`,
      'x-tenant-id': String(token.body['tenantId']),
    }
    t.match(await callJson(`${reten.url}/api/activities`, { headers }), { status: 200 })
    const withKey = { headers: { 'x-api-key': String(key.body['plaintextKey']) } }
    t.match(await callJson(`${reten.url}/api/integration/activities/tasks`, withKey), { status: 200 })
    t.match(await callJson(`${reten.url}/sandbox/tokens`, { body: { role: 'VIEWER', tenant: 'none' } }), {
      status: 404,
    })
  })

  t.test('turns switches, and refuses those that do not exist', async (t) => {
    const reten = await startReten(t)
    const url = `${reten.url}/sandbox/switches`

    t.match(await callJson(url, { method: 'PATCH', body: { messageShape: 'array' } }), {
      body: { messageShape: 'array', dispatchBatch: 100 },
    })
    t.match(await callJson(url, { method: 'PATCH', body: { speed: 3 } }), { status: 400 })
    t.match(await callJson(url), { body: { messageShape: 'array' } })
  })

  t.test('sets and scripts faults, and counts those that struck', async (t) => {
    const reten = await startReten(t)
    const faults = `${reten.url}/sandbox/faults`

    t.match(await callJson(faults, { body: { profile: 'storm', seed: 3 } }), { body: { profile: 'storm' } })
    t.match(await callJson(faults, { body: { odds: { results: { explode: 1 } } } }), { status: 400 })
    t.match(await callJson(`${faults}/script`, { body: { place: 'results', kinds: ['slow'] } }), { status: 200 })
    t.match(await callJson(`${faults}/script`, { body: { place: 'results', kinds: ['doubled'] } }), { status: 400 })
    t.match(await callJson(faults), { body: { struck: {} } })
  })

  t.test('moves the clock and starts and stops the schedule', async (t) => {
    const reten = await startReten(t)
    const clock = `${reten.url}/sandbox/clock`

    t.match(await callJson(clock), { body: { now: '2026-05-04T12:00:00.000Z', speed: 0 } })
    await callJson(`${clock}/advance`, { body: { advance_ms: 60_000 } })
    t.match(await callJson(clock), { body: { now: '2026-05-04T12:01:00.000Z' } })
    t.match(await callJson(`${reten.url}/sandbox/dispatching`, { body: { on: true } }), { body: { on: true } })
    t.match(await callJson(`${reten.url}/sandbox/dispatching`, { body: { on: false } }), { body: { on: false } })
  })

  t.test('answers unknown paths and broken JSON in Reten’s words', async (t) => {
    const reten = await startReten(t)

    t.match(await callJson(`${reten.url}/api/nothing`), { body: { statusCode: 404, error: 'Not Found' } })
    const broken = await fetch(`${reten.url}/sandbox/tenants`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{',
    })
    t.match(await broken.json(), { statusCode: 400, error: 'Bad Request' })
  })
})
