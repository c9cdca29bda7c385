import t from 'tap'
import { startReten } from '../sandbox/start-reten.ts'
import { unusedOrigin } from '../support/local-server.ts'
import { connectionCallers, createOpsFixture } from './ops-fixture.ts'

interface Found {
  readonly check: string
  readonly status: string
  readonly found: string
  readonly advice?: string
}

void t.test('POST /admin/connections/{name}/check', async (t) => {
  const fixture = await createOpsFixture(t)
  const { post } = connectionCallers(fixture)
  const reten = await startReten(t)
  const acme = {
    name: 'acme',
    provider: 'yom',
    retenBaseUrl: reten.url,
    retenApiKey: reten.ready.apiKey,
    providerSettings: { base_url: await unusedOrigin() },
    providerSecrets: { api_key: 'hush-hush-of-yom' },
  }
  await post('', acme)

  await t.test(
    'examines a stored connection as the doctor does, and names its fields instead of variables',
    async (t) => {
      const answer = await post('/acme/check')

      t.equal(answer.statusCode, 200)
      const { ok, findings } = answer.json<{ ok: boolean; findings: readonly Found[] }>()
      const found = new Map(findings.map((finding) => [finding.check, finding]))
      t.equal(ok, false)
      t.match(found.get('stored settings'), { status: 'ok', found: /secrets open with key k1/ })
      t.match(found.get('Reten key'), { status: 'ok' })
      t.match(found.get('dispatch key'), { status: 'failed', advice: /rotate-key acme --purpose dispatch/ })
      t.match(found.get('provider'), { status: 'failed', advice: /PATCH \/admin\/connections\/acme/ })
      t.match(found.get('webhook token'), { status: 'failed', advice: /rotate-key acme --purpose webhook/ })
      t.notMatch(answer.body, /hush-hush-of-yom|rtn_sk_/)
      t.equal(reten.counts().resultRequests, 0)
    },
  )

  await t.test('sees a key as soon as it is there, and one that ends soon', async (t) => {
    await post('/acme/keys', { notAfter: new Date(Date.now() + 3_600_000).toISOString() })
    await post('/acme/keys', { purpose: 'webhook' })

    const { findings } = (await post('/acme/check')).json<{ findings: readonly Found[] }>()

    const found = new Map(findings.map((finding) => [finding.check, finding]))
    t.match(found.get('dispatch key'), { status: 'warning', found: /1 key opens it now, and none after/ })
    t.match(found.get('webhook token'), { status: 'ok' })
  })

  await t.test('says which key of SECRETS_KEY is missing', async (t) => {
    await fixture.db.updateTable('connections').set({ secrets_key_id: 'k0' }).where('name', '=', 'acme').execute()
    t.teardown(() =>
      fixture.db.updateTable('connections').set({ secrets_key_id: 'k1' }).where('name', '=', 'acme').execute(),
    )

    const { findings } = (await post('/acme/check')).json<{ findings: readonly Found[] }>()

    t.match(
      findings.find(({ check }) => check === 'stored settings'),
      { status: 'failed', found: /key k0/, advice: /SECRETS_KEY/ },
    )
  })

  await t.test('is for admins, and knows no connection that is not in use', async (t) => {
    const asOperator = await fixture.ask('operator', { method: 'POST', url: '/admin/connections/acme/check' })

    t.equal(asOperator.statusCode, 403)
    t.match((await post('/nobody/check')).json(), { statusCode: 404, code: 'RCV_CONNECTION_NOT_FOUND' })
  })
})
