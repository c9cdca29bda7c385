import t from 'tap'
import { createHttpClient } from '../../src/http-client.ts'
import { createRetenClients } from '../../src/report/reten-clients.ts'
import { systemClock } from '../../src/time.ts'
import { buildConnection } from '../deliver/delivery-fixture.ts'

const http = createHttpClient()
t.teardown(() => http.close())

const connection = { ...buildConnection(), retenBaseUrl: 'http://127.0.0.1:1', retenApiKey: 'rtn_sk_0123456789' }

t.test('createRetenClients', async (t) => {
  t.test('has none for a connection without a key or an address', async (t) => {
    const clients = createRetenClients({ httpOf: () => http, clock: systemClock })

    t.equal(clients.get({ ...connection, retenApiKey: undefined }), undefined)
    t.equal(clients.get({ ...connection, retenBaseUrl: undefined }), undefined)
  })

  t.test('keeps one for each connection while it does not change', async (t) => {
    const clients = createRetenClients({ httpOf: () => http, clock: systemClock })
    const first = clients.get(connection)

    t.ok(first)
    t.equal(clients.get({ ...connection, state: 'paused' }), first)
    t.not(clients.get({ ...connection, name: 'other' }), first)
  })

  t.test('makes another one when key, address or version change', async (t) => {
    for (const change of [{ retenApiKey: 'another' }, { retenBaseUrl: 'http://127.0.0.1:2' }, { version: '2' }]) {
      const clients = createRetenClients({ httpOf: () => http, clock: systemClock })
      const first = clients.get(connection)

      t.not(clients.get({ ...connection, ...change }), first)
    }
  })
})
