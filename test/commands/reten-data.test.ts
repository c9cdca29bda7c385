import t from 'tap'
import { readAttributes } from '../../src/commands/reten-data.ts'
import { createHttpClient } from '../../src/http-client.ts'
import { createRetenClients } from '../../src/report/reten-clients.ts'
import { systemClock } from '../../src/time.ts'
import { buildConnection } from '../deliver/delivery-fixture.ts'
import { sendJson, serve } from '../support/local-server.ts'

const http = createHttpClient()
t.teardown(() => http.close())
const signal = new AbortController().signal
const clients = createRetenClients({ httpOf: () => http, clock: systemClock })

t.test('what an adapter asks of Reten', async (t) => {
  t.test('is an activity’s attributes, each with its key, its value and whether it is resolved', async (t) => {
    const rows = [
      { attributeKeyId: 'k-1', value: { segment: 'B' }, resolutionStatus: 'RESOLVED' },
      { attributeKeyId: 'k-2', value: null, resolutionStatus: 'PENDING', resolverType: null },
      { attributeKeyId: 'k-3' },
    ]
    const server = await serve(t, (response) => sendJson(response, 200, rows))
    const connection = { ...buildConnection(), retenBaseUrl: server.origin, retenApiKey: 'rtn_sk_0123456789' }

    t.same(await readAttributes(clients, connection, 'a-1', signal), [
      { attributeKeyId: 'k-1', value: { segment: 'B' }, resolutionStatus: 'RESOLVED' },
      { attributeKeyId: 'k-2', value: null, resolutionStatus: 'PENDING' },
      { attributeKeyId: 'k-3', value: null, resolutionStatus: undefined },
    ])
    t.match(server.received, [{ path: '/api/activities/a-1/attributes', headers: { 'x-api-key': /^rtn_sk_/ } }])
  })

  t.test('is refused with the reason where Reten cannot tell', async (t) => {
    const server = await serve(t, (response) => sendJson(response, 404, { message: 'Activity not found' }))
    const connection = { ...buildConnection(), retenBaseUrl: server.origin, retenApiKey: 'rtn_sk_0123456789' }

    await t.rejects(readAttributes(clients, connection, 'a-1', signal), { message: /Activity not found/ })
    const without = { ...connection, retenApiKey: undefined }
    await t.rejects(readAttributes(clients, without, 'a-1', signal), { code: 'RCV_ADAPTER_SETTINGS' })
  })
})
