// What becomes of deliveries while a provider refuses our key, against real servers: the connection stops, nothing is charged,
// and it goes on by itself.
import type { ServerResponse } from 'node:http'
import t from 'tap'
import { changeConnection } from '../../src/store/write-connection.ts'
import { makeAllDue, openLedger, readStory, storeDispatch, tells } from '../support/ledger.ts'
import { sendJson, serve } from '../support/local-server.ts'
import type { Received } from '../support/local-server.ts'
import { createScriptedAdapter } from './delivery-fixture.ts'
import { SCRIPTED_PROVIDER, scripts } from './scripted-module.ts'
import { createWorkerBench, makeProbesDue, setProvider } from './worker-fixture.ts'

const { db } = await openLedger(t)

const refuse = (response: ServerResponse): void => sendJson(response, 401, { message: 'who are you' })
const accept = (response: ServerResponse): void => sendJson(response, 201, { id: 'T-1' })
const summary = ({ method, path }: Received): string => `${method} ${path}`

t.test('a provider whose adapter has no probe', async (t) => {
  t.test('gets one delivery after a while, and all of them once it took that one', async (t) => {
    let answer = refuse
    const provider = await serve(t, (response) => answer(response))
    await setProvider(db, { provider: 'webhook', providerSettings: { url: provider.origin } })
    const ids = [await storeDispatch(db, 'A-1'), await storeDispatch(db, 'A-2'), await storeDispatch(db, 'A-3')]
    const { worker, catalog, lines, probe } = await createWorkerBench(t, db)

    await worker.runOnce()
    await catalog.refresh()
    const asked = provider.received.length
    await makeAllDue(db)
    t.equal(await worker.runOnce(), 0, 'nothing is sent while it is paused')
    t.match(catalog.get('acme'), { state: 'paused', pausedBy: 'service', stateReason: /who are you/ })
    t.match(catalog.fault(), /^acme: deliveries are paused: the webhook answered 401: who are you$/)
    t.equal(lines.filter((line) => line['event'] === 'connection.paused').length, 1)
    t.equal(await probe(), 0, 'it is not time yet')

    await makeProbesDue(db)
    t.equal(await probe(), 1)
    t.equal(await worker.runOnce(), 1, 'one on trial')
    await catalog.refresh()
    t.equal(provider.received.length, asked + 1)
    t.match(catalog.get('acme'), { state: 'paused' })

    answer = accept
    await makeProbesDue(db)
    t.equal(await probe(), 1)
    await makeAllDue(db)
    t.equal(await worker.runOnce(), 1)
    await catalog.refresh()
    t.match(catalog.get('acme'), { state: 'active', isOnTrial: false })
    t.equal(catalog.fault(), undefined)
    t.equal(await worker.runOnce(), 2, 'the others at once')
    for (const id of ids) t.match((await readStory(db, id)).dispatch, { state: 'delivered' })
  })

  t.test('is not proven by a time-out or a busy answer', async (t) => {
    const provider = await serve(t, (response) => response.writeHead(503).end())
    await setProvider(db, { provider: 'webhook', providerSettings: { url: provider.origin } })
    await storeDispatch(db)
    await db.updateTable('connections').set({ refusals: 2 }).execute()
    const { worker, catalog } = await createWorkerBench(t, db)

    await worker.runOnce()
    await catalog.refresh()

    t.match(catalog.get('acme'), { isOnTrial: true })
  })
})

t.test('a refused key costs no attempt, however often', async (t) => {
  const provider = await serve(t, refuse)
  await setProvider(db, {
    provider: 'webhook',
    providerSettings: { url: provider.origin },
    settings: { retry_delays: [1] },
  })
  const id = await storeDispatch(db)
  const { worker, catalog, probe } = await createWorkerBench(t, db)

  for (let round = 0; round < 4; round += 1) {
    await makeAllDue(db)
    await makeProbesDue(db)
    await probe()
    await worker.runOnce()
    await catalog.refresh()
  }

  t.equal(provider.received.length, 4)
  tells(t, await readStory(db, id), {
    dispatch: { state: 'received' },
    job: { attempts: 0, refusals: 4, is_fate_unknown: false },
    attempts: [{}, {}, {}, { outcome: 'unauthorized', error_code: 'http_401' }],
  })
})

t.test('YOM', async (t) => {
  t.test('is asked for a task that nobody has; what it says decides, and no task is made', async (t) => {
    let answer: (response: ServerResponse) => void = refuse
    const yom = await serve(t, (response) => answer(response))
    const secrets = { api_key: 'hush-hush-hush' }
    await setProvider(db, { provider: 'yom', providerSettings: { base_url: yom.origin }, secrets })
    const id = await storeDispatch(db)
    const { worker, catalog, lines, probe } = await createWorkerBench(t, db)
    await worker.runOnce()

    for (const [status, goesOn] of [
      [401, 0],
      [503, 0],
      [500, 0],
      [403, 1],
    ] as const) {
      answer = (response) => sendJson(response, status, { message: `no: ${secrets.api_key}` })
      await makeProbesDue(db)
      t.equal(await probe(), goesOn, String(status))
    }
    answer = accept
    await catalog.refresh()
    await makeAllDue(db)
    await worker.runOnce()

    const probes = Array.from({ length: 4 }, () => 'GET /activities?externalId=reten-dispatch-receiver-probe')
    t.strictSame(yom.received.map(summary), ['POST /activities', ...probes, 'POST /activities'])
    t.equal(yom.received[1]?.headers['x-api-key'], secrets.api_key)
    t.match((await readStory(db, id)).dispatch, { state: 'delivered' })
    t.notMatch(JSON.stringify(lines), secrets.api_key)
  })

  t.test('gives a token with the secret that was corrected, at once', async (t) => {
    const yom = await serve(t, (response, { path, body, headers }) => {
      if (path !== '/auth/tokens/grant')
        return headers.authorization === 'Bearer t1' ? accept(response) : refuse(response)
      return body.includes('right-secret') ? sendJson(response, 200, { accessToken: 't1' }) : refuse(response)
    })
    const base = { provider: 'yom', providerSettings: { base_url: yom.origin } }
    await setProvider(db, { ...base, secrets: { client_id: 'me-me-me', client_secret: 'wrong-secret' } })
    const id = await storeDispatch(db)
    const { worker, catalog, probe } = await createWorkerBench(t, db)
    await worker.runOnce()
    await catalog.refresh()
    t.match(catalog.get('acme'), { pausedBy: 'service', stateReason: /token endpoint answered 401/ })
    t.equal(await probe(), 0, 'it is not time yet')

    await setProvider(db, { ...base, secrets: { client_id: 'me-me-me', client_secret: 'right-secret' } })
    await changeConnection(db, 'acme', { actor: 'otto' }, async (values) => ({ values, detail: {} }))
    t.equal(await probe(), 1)
    await makeAllDue(db)
    await worker.runOnce()

    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, attempts: [{ outcome: 'unauthorized' }, {}] })
  })

  t.test(
    'refusing a token that was good a moment ago is asked for another, once, before anything is paused',
    async (t) => {
      let granted = 0
      const yom = await serve(t, (response, { path, headers }) => {
        if (path === '/auth/tokens/grant') return sendJson(response, 200, { accessToken: `t${(granted += 1)}` })
        return headers.authorization === 'Bearer t2' ? accept(response) : refuse(response)
      })
      const secrets = { client_id: 'me-me-me', client_secret: 'hush-hush-hush' }
      await setProvider(db, { provider: 'yom', providerSettings: { base_url: yom.origin }, secrets })
      const id = await storeDispatch(db)
      const { worker, catalog } = await createWorkerBench(t, db)

      await worker.runOnce()
      await catalog.refresh()

      t.equal(granted, 2)
      t.match(catalog.get('acme'), { state: 'active' })
      tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, attempts: [{ outcome: 'accepted' }] })
    },
  )

  t.test('refusing the search for a task stops the connection, and leaves the task in doubt', async (t) => {
    const yom = await serve(t, refuse)
    await setProvider(db, {
      provider: 'yom',
      providerSettings: { base_url: yom.origin, idempotency: 'lookup' },
      secrets: { api_key: 'hush-hush-hush' },
    })
    const id = await storeDispatch(db)
    await db.updateTable('jobs').set({ is_fate_unknown: true, attempts: 1 }).execute()
    const { worker, catalog } = await createWorkerBench(t, db)

    await worker.runOnce()
    await catalog.refresh()

    t.match(yom.received.map(summary), [/^GET /])
    t.match(catalog.get('acme'), { pausedBy: 'service' })
    t.match((await readStory(db, id)).job, { attempts: 1, is_fate_unknown: true, parked_reason: null })
  })
})

t.test('one dispatch that is refused for itself fails, and the others are delivered', async (t) => {
  const provider = await serve(t, (response, { body }) => {
    if (body.includes('A-bad')) sendJson(response, 403, { message: 'not your commerce' })
    else accept(response)
  })
  await setProvider(db, {
    provider: 'webhook',
    providerSettings: { url: provider.origin },
    settings: { max_in_flight: 1 },
  })
  const bad = await storeDispatch(db, 'A-bad')
  const others = [await storeDispatch(db, 'A-1'), await storeDispatch(db, 'A-2')]
  const { worker, catalog, probe } = await createWorkerBench(t, db)

  for (let round = 0; round < 16; round += 1) {
    await makeProbesDue(db)
    await probe()
    // What was refused waits longer than what was not, as it does by the clock.
    if ((await worker.runOnce()) === 0) await makeAllDue(db)
    await catalog.refresh()
    // Alone, it cannot be told from a key that may do nothing: another one has to be taken first.
    if (round === 8) others.push(await storeDispatch(db, 'A-3'))
  }

  for (const id of others) t.match((await readStory(db, id)).dispatch, { state: 'delivered' })
  t.match((await readStory(db, bad)).dispatch, { state: 'failed', reason_code: 'http_403' })
  t.match(catalog.get('acme'), { state: 'active', isOnTrial: false })
})

t.test('an adapter whose probe is at fault is asked again later', async (t) => {
  const probes = [() => Promise.reject(new Error('broken')), () => Promise.resolve({ kind: 'maybe' })]
  for (const [number, probeOf] of probes.entries()) {
    const script = `probe-${number}`
    const adapter = createScriptedAdapter({
      deliver: () => ({ kind: 'unauthorized', code: 'http_401', message: 'who are you' }),
    })
    // Anybody's module may answer anything.
    scripts.set(script, () => ({ ...adapter, probe: probeOf }) as typeof adapter)
    await setProvider(db, { provider: SCRIPTED_PROVIDER, providerSettings: { script } })
    await db.updateTable('connections').set({ state: 'active', probe_at: null }).execute()
    await storeDispatch(db, `A-${number}`)
    const { worker, catalog, lines, probe } = await createWorkerBench(t, db)
    await worker.runOnce()
    await makeProbesDue(db)

    t.equal(await probe(), 0)

    await catalog.refresh()
    t.match(catalog.get('acme'), { state: 'paused', stateReason: 'who are you' })
    t.ok(lines.some((line) => line['event'] === 'key.probe_fault'))
    t.equal(await probe(), 0, 'and not at once')
  }
})
