import t from 'tap'
import type { EnvironmentConnection } from '../../src/environment-connection.ts'
import { addConnectionRow, connectionCallers, createOpsFixture, storeDispatch } from './ops-fixture.ts'

const ENVIRONMENT: EnvironmentConnection = {
  dispatchKeys: ['0123456789abcdef'],
  provider: 'yom',
  retenBaseUrl: 'https://api-staging.reten.ai',
  retenApiKey: 'rtn_sk_environment',
  webhookToken: undefined,
  providerSettings: {},
  providerSecrets: { api_key: 'yom-secret' },
  settings: {},
}

void t.test('pausing, resuming and archiving', async (t) => {
  const fixture = await createOpsFixture(t)
  const { get, post, remove } = connectionCallers(fixture)
  const { ask, catalog, db, nudges } = fixture
  await post('', { name: 'acme', provider: 'mock' })

  await t.test('pausing takes a reason, shows it, and keeps the version', async (t) => {
    const version = catalog.get('acme')?.version

    const answer = await post('/acme/pause', { reason: 'provider is down' })

    t.match(answer.json(), { state: 'paused', stateReason: 'provider is down' })
    t.match(catalog.get('acme'), { state: 'paused', version })
    t.equal((await post('/acme/pause', {})).statusCode, 400)
  })

  await t.test('resuming wakes the delivery', async (t) => {
    const answer = await post('/acme/resume')

    t.match(answer.json(), { state: 'active', stateReason: null })
    t.same(nudges, ['deliver', 'report'])
  })

  await t.test('resuming what is active changes and records nothing', async (t) => {
    const count = async () => (await db.selectFrom('audit_log').select('id').execute()).length
    const before = await count()

    t.equal((await post('/acme/resume')).statusCode, 200)

    t.equal(await count(), before)
  })

  await t.test('archiving takes it out of use, says what waits, and keeps it to look at', async (t) => {
    await storeDispatch(db, 'a1')

    const answer = await remove('/acme?reason=contract+ended')

    t.match(answer.json(), { state: 'archived', stateReason: 'contract ended', waitingJobs: 1 })
    t.equal(catalog.get('acme'), undefined)
    t.same((await get('')).json().data, [])
    t.equal((await get('?state=archived')).json().data[0].name, 'acme')
    t.match((await post('/acme/resume')).json(), { statusCode: 404, code: 'RCV_CONNECTION_NOT_FOUND' })
  })

  await t.test('every deed stands in the audit log with its author', async (t) => {
    const rows = await db.selectFrom('audit_log').selectAll().where('target', '=', 'acme').orderBy('id').execute()

    t.same(
      rows.map((row) => [row.action, row.actor, row.reason]),
      [
        ['connection.created', 'ada', null],
        ['connection.paused', 'ada', 'provider is down'],
        ['connection.resumed', 'ada', null],
        ['connection.archived', 'ada', 'contract ended'],
      ],
    )
  })

  await t.test('a viewer may look and an operator may not change', async (t) => {
    t.equal((await ask('viewer', { url: '/admin/connections' })).statusCode, 200)
    t.equal((await ask('operator', { method: 'DELETE', url: '/admin/connections/acme' })).statusCode, 403)
  })
})

void t.test("the environment's connection", async (t) => {
  const fixture = await createOpsFixture(t, { environmentConnection: ENVIRONMENT })
  const { get, patch, post, remove } = connectionCallers(fixture)
  await addConnectionRow(fixture.db, 'default', { origin: 'environment' })

  await t.test('is shown with the names of its secrets', async (t) => {
    const answer = await get('/default')

    t.match(answer.json(), { origin: 'environment', secrets: { hasRetenApiKey: true, provider: ['api_key'] } })
    t.notMatch(answer.body, /rtn_sk_environment|yom-secret/)
  })

  await t.test('can be paused and resumed', async (t) => {
    t.equal((await post('/default/pause', { reason: 'why' })).json().state, 'paused')
    t.equal((await post('/default/resume')).json().state, 'active')
  })

  await t.test('cannot be changed, archived or given keys here', async (t) => {
    for (const answer of [
      await patch('/default', { settings: {} }),
      await remove('/default'),
      await post('/default/keys', {}),
    ]) {
      t.match(answer.json(), { statusCode: 409, code: 'RCV_CONNECTION_IS_ENVIRONMENT' })
    }
  })
})
