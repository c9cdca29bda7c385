import t from 'tap'
import { createAdapterPool } from '../../src/deliver/adapter-pool.ts'
import { askProvider } from '../../src/deliver/ask-provider.ts'
import { createHttpClient } from '../../src/http-client.ts'
import { systemClock } from '../../src/time.ts'
import { until } from '../support/ledger.ts'
import { buildConnection, createListeningLogger, createScriptedAdapter } from './delivery-fixture.ts'
import { SCRIPTED_PROVIDER, scripts } from './scripted-module.ts'

const http = createHttpClient()
t.teardown(() => http.close())

/** A pool, the connections' adapter under a name of its own, and what was built and closed so far. */
function setUp(script: string) {
  const { logger, lines } = createListeningLogger()
  const events: string[] = []
  let built = 0
  scripts.set(script, () => {
    built += 1
    const number = built
    events.push(`built ${number}`)
    const adapter = createScriptedAdapter({ deliver: () => ({ kind: 'accepted' }) })
    return { ...adapter, close: async () => void events.push(`closed ${number}`) }
  })
  const pool = createAdapterPool({
    createHttp: () => http,
    clock: systemClock,
    random: Math.random,
    logger,
    resultTypes: async () => [],
    attributes: async () => [],
  })
  const connection = { ...buildConnection(), provider: SCRIPTED_PROVIDER, providerSettings: { script } }
  return { pool, connection, events, lines }
}

t.test('createAdapterPool', async (t) => {
  t.test('builds a connection’s adapter once, however many ask for it at once', async (t) => {
    const { pool, connection, events } = setUp('once')

    const [one, other] = await Promise.all([pool.get(connection), pool.get(connection)])

    t.equal(one, other)
    t.strictSame(events, ['built 1'])
  })

  t.test('builds it again when the connection changes, and closes the one before', async (t) => {
    const { pool, connection, events } = setUp('changed')
    await pool.get(connection)

    await pool.get({ ...connection, version: '2' })
    await pool.get({ ...connection, version: '2', providerSecrets: { api_key: 'another' } })
    await until(() => events.length === 5)

    t.strictSame(events.toSorted(), ['built 1', 'built 2', 'built 3', 'closed 1', 'closed 2'])
  })

  t.test('keeps the adapter of a connection that is only paused', async (t) => {
    const { pool, connection, events } = setUp('paused')
    await pool.get(connection)

    await pool.get({ ...connection, state: 'paused' })

    t.strictSame(events, ['built 1'])
  })

  t.test('has none for a connection whose settings make none, and says so once', async (t) => {
    const { pool, connection, lines } = setUp('unusable')
    const unusable = { ...connection, providerSettings: { script: 'unheard of' } }

    t.strictSame([await pool.get(unusable), await pool.get(unusable)], [undefined, undefined])

    t.equal(lines.length, 1)
    t.match(lines[0], { level: 'error', event: 'connection.unusable', connection: 'acme', msg: /no script unheard of/ })
  })

  t.test('tries again once such settings change', async (t) => {
    const { pool, connection } = setUp('mended')
    await pool.get({ ...connection, providerSettings: { script: 'unheard of' } })

    t.ok(await pool.get({ ...connection, version: '2' }))
  })

  t.test('closes every adapter with itself', async (t) => {
    const { pool, connection, events } = setUp('closed')
    await pool.get(connection)
    await pool.get({ ...connection, name: 'other' })

    await pool.close()

    t.strictSame(events, ['built 1', 'built 2', 'closed 1', 'closed 2'])
  })

  t.test('checks a draft without keeping anything of it', async (t) => {
    const { pool, connection, events } = setUp('checked')

    await pool.check(connection)
    await t.rejects(pool.check({ ...connection, providerSettings: { script: 'unheard of' } }), {
      code: 'RCV_ADAPTER_SETTINGS',
    })
    await t.rejects(pool.check({ ...connection, provider: './no-such-module.ts' }), { code: 'RCV_ADAPTER_UNKNOWN' })

    t.strictSame(events, ['built 1', 'closed 1'])
  })
})

t.test('askProvider', async (t) => {
  t.test('waits for no adapter that is never built: other keys are tried in the same turn', async (t) => {
    const { pool, connection } = setUp('never built')
    scripts.set('never built', () => new Promise<never>(() => {}))
    const alive = setInterval(() => {}, 1_000) // as listeners do: the pool's patience alone keeps no process
    t.teardown(() => clearInterval(alive))

    const answer = await askProvider(pool, connection, new AbortController().signal)

    t.match(answer, { kind: 'unknown' })
  })
})
