import t from 'tap'
import { AppError } from '../../src/errors.ts'
import { holdOff } from '../../src/store/connection-budgets.ts'
import { connectionCallers, createOpsFixture } from './ops-fixture.ts'

const ACME = {
  name: 'acme',
  provider: 'webhook',
  retenBaseUrl: 'https://api-staging.reten.ai/',
  retenApiKey: 'rtn_sk_secret',
  settings: { max_in_flight: 8 },
  providerSettings: { url: 'https://provider.example/tasks' },
  providerSecrets: { auth_token: 'hush-hush' },
}

void t.test('POST /admin/connections', async (t) => {
  const fixture = await createOpsFixture(t)
  const { get, post, remove } = connectionCallers(fixture)
  const { db, catalog } = fixture

  await t.test('adds a connection that works at once, and shows its secrets to nobody', async (t) => {
    const answer = await post('', ACME)

    t.equal(answer.statusCode, 201)
    t.match(answer.json(), {
      name: 'acme',
      provider: 'webhook',
      origin: 'managed',
      state: 'active',
      retenBaseUrl: 'https://api-staging.reten.ai',
      settings: { max_in_flight: 8 },
      secrets: { hasRetenApiKey: true, provider: ['auth_token'], fault: null },
    })
    t.notMatch(answer.body, /rtn_sk_secret|hush-hush/)
    t.match(catalog.get('acme'), {
      retenApiKey: 'rtn_sk_secret',
      providerSecrets: { auth_token: 'hush-hush' },
      settings: { maxInFlight: 8 },
    })
  })

  await t.test('stores secrets sealed, and writes the deed down without them', async (t) => {
    const row = await db.selectFrom('connections').selectAll().where('name', '=', 'acme').executeTakeFirstOrThrow()
    const [entry] = await db.selectFrom('audit_log').selectAll().where('target', '=', 'acme').execute()

    t.notMatch(row.secrets?.toString('latin1'), /hush-hush/)
    t.match(entry, { actor: 'ada', action: 'connection.created' })
    t.notMatch(JSON.stringify(entry), /rtn_sk_secret|hush-hush/)
  })

  await t.test('refuses a name in use with 409', async (t) => {
    t.match((await post('', ACME)).json(), { statusCode: 409, code: 'RCV_CONNECTION_EXISTS' })
  })

  await t.test('brings an archived connection back under the same name with what is said now', async (t) => {
    await remove('/acme')

    const answer = await post('', { name: 'acme', provider: 'mock' })

    t.equal(answer.statusCode, 201)
    t.match(answer.json(), { state: 'active', provider: 'mock', secrets: { hasRetenApiKey: false, provider: [] } })
    t.equal((await get('/acme')).json().state, 'active')
  })

  for (const [what, body, path] of [
    ['a name with capitals', { ...ACME, name: 'Acme' }, '/name'],
    ['a provider nobody knows', { ...ACME, name: 'x', provider: './evil.mjs' }, '/provider'],
    ['a setting nobody knows', { ...ACME, name: 'x', settings: { colour: 'red' } }, '/settings/colour'],
    ['a setting out of bounds', { ...ACME, name: 'x', settings: { max_in_flight: 0 } }, '/settings/max_in_flight'],
    ['an address that is none', { ...ACME, name: 'x', retenBaseUrl: 'reten' }, '/retenBaseUrl'],
    ['an address that ends in /api', { ...ACME, name: 'x', retenBaseUrl: 'https://r.example/api' }, '/retenBaseUrl'],
    ['a Reten key without an address', { name: 'x', provider: 'mock', retenApiKey: 'k' }, '/retenBaseUrl'],
    [
      "invented results for Reten's production",
      { name: 'x', provider: 'mock', retenBaseUrl: 'https://api.reten.ai' },
      '/provider',
    ],
    [
      'a secret that is no text',
      { ...ACME, name: 'x', providerSecrets: { auth_token: 5 } },
      '/providerSecrets/auth_token',
    ],
    ['no provider', { name: 'x' }, '/provider'],
    ['a field nobody knows', { ...ACME, name: 'x', retenBaseURL: 'https://r.example' }, '/retenBaseURL'],
  ] as const) {
    await t.test(`refuses ${what} and names the field`, async (t) => {
      const answer = await post('', body)

      t.equal(answer.statusCode, 400)
      t.match(answer.json(), { code: 'RCV_REQUEST_INVALID', details: [{ path }] })
    })
  }

  await t.test("keeps the environment's name for the environment", async (t) => {
    const answer = await post('', { ...ACME, name: 'default' })

    t.match(answer.json(), { statusCode: 409, code: 'RCV_CONNECTION_IS_ENVIRONMENT' })
  })
})

void t.test('GET /admin/connections/{name}', async (t) => {
  const fixture = await createOpsFixture(t)
  const { get, post } = connectionCallers(fixture)
  await post('', ACME)

  await t.test('says until when the provider or Reten asked to be left alone, while it lasts', async (t) => {
    t.match((await get('/acme')).json(), { heldOffUntil: null, reporting: { heldOffUntil: null } })
    await holdOff(fixture.db, { connection: 'acme', kind: 'deliver', forMs: 60_000 })
    await holdOff(fixture.db, { connection: 'acme', kind: 'report', forMs: 0 })

    t.match((await get('/acme')).json(), { heldOffUntil: /^\d{4}-.*Z$/, reporting: { heldOffUntil: null } })
  })
})

void t.test('POST /admin/connections in particular installations', async (t) => {
  await t.test('refuses to store a secret without SECRETS_KEY, and says so', async (t) => {
    const { post } = connectionCallers(await createOpsFixture(t, { secretsKeys: [] }))

    t.match((await post('', ACME)).json(), { statusCode: 409, code: 'RCV_SECRETS_KEY_MISSING', message: /SECRETS_KEY/ })
    t.equal((await post('', { name: 'plain', provider: 'mock' })).statusCode, 201)
  })

  await t.test('refuses mock in production', async (t) => {
    const { post } = connectionCallers(await createOpsFixture(t, { isProduction: true }))

    t.match((await post('', { name: 'x', provider: 'mock' })).json(), {
      statusCode: 400,
      details: [{ path: '/provider' }],
    })
  })

  await t.test('asks the adapter before it stores anything', async (t) => {
    const checkAdapter = async () => {
      throw new AppError('RCV_ADAPTER_SETTINGS', 'url is required', {
        details: [{ path: 'url', message: 'is required' }],
      })
    }
    const { get, post } = connectionCallers(await createOpsFixture(t, { checkAdapter }))

    t.match((await post('', ACME)).json(), { statusCode: 400, code: 'RCV_ADAPTER_SETTINGS' })
    t.equal((await get('/acme')).statusCode, 404)
  })
})

void t.test('PATCH /admin/connections/{name}', async (t) => {
  const fixture = await createOpsFixture(t)
  const { patch, post } = connectionCallers(fixture)
  const { catalog, db } = fixture
  await post('', ACME)

  await t.test('changes single settings and leaves the others, null goes back to the default', async (t) => {
    await patch('/acme', { settings: { channels: ['CALL'] } })
    t.match(catalog.get('acme')?.settings, { maxInFlight: 8, channels: ['CALL'] })

    await patch('/acme', { settings: { max_in_flight: null } })
    t.match(catalog.get('acme')?.settings, { maxInFlight: 4, channels: ['CALL'] })
  })

  await t.test('changes single secrets and leaves the others', async (t) => {
    const answer = await patch('/acme', { providerSecrets: { auth_token: 'new', extra: 'more' } })

    t.equal(answer.statusCode, 200)
    t.notMatch(answer.body, /"new"|"more"/)
    t.same(catalog.get('acme')?.providerSecrets, { auth_token: 'new', extra: 'more' })
    t.equal(catalog.get('acme')?.retenApiKey, 'rtn_sk_secret')
    const entry = await db.selectFrom('audit_log').selectAll().orderBy('id', 'desc').executeTakeFirstOrThrow()
    t.match(entry, {
      action: 'connection.changed',
      detail: { secrets: ['providerSecrets.auth_token', 'providerSecrets.extra'] },
    })
    t.notMatch(JSON.stringify(entry), /"new"|"more"/)
  })

  await t.test('gives the connection a new version, so that clients are built anew', async (t) => {
    const before = catalog.get('acme')?.version

    await patch('/acme', { providerSettings: { url: 'https://provider.example/v2' } })

    t.not(catalog.get('acme')?.version, before)
  })

  await t.test('changes nothing where one of the values is wrong', async (t) => {
    const answer = await patch('/acme', { settings: { channels: ['WHATSAPP'], max_in_flight: 'many' } })

    t.match(answer.json(), { statusCode: 400, code: 'RCV_REQUEST_INVALID' })
    t.same(catalog.get('acme')?.settings.channels, ['CALL'])
  })

  await t.test('never leaves a Reten key without an address', async (t) => {
    t.match((await patch('/acme', { retenBaseUrl: null })).json(), {
      statusCode: 400,
      details: [{ path: '/retenBaseUrl' }],
    })
    t.equal((await patch('/acme', { retenBaseUrl: null, retenApiKey: null })).json().secrets.hasRetenApiKey, false)
  })

  await t.test('refuses to change what never changes, and an empty change', async (t) => {
    t.match((await patch('/acme', { name: 'other' })).json(), { statusCode: 400, details: [{ path: '/name' }] })
    t.equal((await patch('/acme', {})).statusCode, 400)
  })

  await t.test('answers 404 for a name nobody has', async (t) => {
    t.match((await patch('/nobody', { settings: {} })).json(), { statusCode: 404, code: 'RCV_CONNECTION_NOT_FOUND' })
  })
})
