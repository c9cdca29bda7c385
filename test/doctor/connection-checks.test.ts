import t from 'tap'
import { computeDispatchId } from '../../src/dispatch/identity.ts'
import { unusedOrigin } from '../support/local-server.ts'
import { storeDispatch } from '../ops/ops-fixture.ts'
import { openDoctor, PUBLIC_URL } from './doctor-fixture.ts'

void t.test('examineConnection', async (t) => {
  const { stage, db, examine } = await openDoctor(t)
  const { reten, settings } = stage

  await t.test('finds nothing wrong where nothing is', async (t) => {
    const findings = await examine({}, { publicUrl: PUBLIC_URL })

    t.same(
      [...findings.values()].filter(({ status }) => status !== 'ok'),
      [],
    )
    t.equal(findings.size, 10)
    t.match(
      findings.get('Reten dispatch configuration')?.found,
      /active for https:\/\/receiver\.example\.com: SALESMAN/,
    )
  })

  await t.test('registers nothing at Reten and makes no task at YOM', async (t) => {
    const [activity] = reten.createActivities(1)

    await examine()

    t.match(reten.counts(), { resultRequests: 0, registered: 0 })
    t.equal(reten.activity(activity?.id ?? '')?.result, undefined)
    t.equal(stage.yom.counts().tasks, 0)
  })

  await t.test('says which setting holds a key that Reten does not know, and does not ask on with it', async (t) => {
    const findings = await examine({ RETEN_API_KEY: 'rtn_sk_of_somebody_else' })

    t.match(findings.get('Reten key'), { status: 'failed', found: /401.*unknown there/, advice: /RETEN_API_KEY/ })
    t.match(findings.get('Reten permission to report'), { status: 'unchecked' })
    t.match(findings.get('result codes'), { status: 'unchecked' })
    t.match(findings.get('clock'), { status: 'ok' }, 'a refusal has a Date header too')
  })

  await t.test('tells a key apart that may see and may not report, and says what that rests on', async (t) => {
    const key = reten.createApiKey({ permissions: ['VIEW_ACTIVITIES'] })

    const findings = await examine({ RETEN_API_KEY: key })

    t.match(findings.get('Reten key'), { status: 'ok' })
    t.match(findings.get('Reten permission to report'), {
      status: 'failed',
      found: /lacks SUBMIT_ACTIVITY_RESULT/,
      advice: /SUBMIT_ACTIVITY_RESULT and enter it as RETEN_API_KEY/,
      assumption: /403.*before.*400/,
    })
  })

  await t.test('tells a key apart that may report and may not see', async (t) => {
    const key = reten.createApiKey({ permissions: ['SUBMIT_ACTIVITY_RESULT'] })

    const findings = await examine({ RETEN_API_KEY: key })

    t.match(findings.get('Reten key'), { status: 'failed', found: /lacks VIEW_ACTIVITIES/ })
    t.match(findings.get('Reten permission to report'), { status: 'ok' })
    t.match(findings.get('Reten dispatch configuration'), { status: 'unchecked', advice: /Dispatch Configuration/ })
  })

  await t.test('names the setting where nobody answers under the address of Reten', async (t) => {
    const findings = await examine({ RETEN_BASE_URL: await unusedOrigin() })

    t.match(findings.get('Reten key'), { status: 'failed', found: /refuses the connection/, advice: /RETEN_BASE_URL/ })
    t.match(findings.get('clock'), { status: 'unchecked' })
  })

  await t.test('names the setting where somebody else answers under the address of Reten', async (t) => {
    const findings = await examine({ RETEN_BASE_URL: stage.yom.url })

    t.match(findings.get('Reten key'), { status: 'failed', advice: /RETEN_BASE_URL/ })
  })

  await t.test('notices a clock that is off, in either direction', async (t) => {
    const ahead = await examine({}, { clock: { now: () => Date.now() + 90_000 } })
    const behind = await examine({}, { clock: { now: () => Date.now() - 20_000 } })

    t.match(ahead.get('clock'), { status: 'failed', found: /(89|90|91) s ahead/, advice: /NTP/ })
    t.match(behind.get('clock'), { status: 'warning', found: /(19|20|21) s behind/, advice: /NTP/ })
  })

  await t.test('names codes the provider sent that Reten does not know', async (t) => {
    await storeDispatch(db, 'a-1', { connection: 'default' })
    const result = {
      dispatch_id: computeDispatchId('default', 'a-1'),
      connection: 'default',
      source: 'webhook' as const,
    }
    const row = { ...result, status: 'EFFECTIVE' as const, occurred_at: new Date() }
    await db
      .insertInto('results')
      .values({ ...row, code: 'SALE_COMPLETED' })
      .execute()
    t.match((await examine()).get('result codes'), { status: 'ok' })

    await db
      .insertInto('results')
      .values({ ...row, code: 'sold' })
      .execute()

    t.match((await examine()).get('result codes'), {
      status: 'failed',
      found: /sold \(1 times\).*SALE_COMPLETED, NOT_INTERESTED/,
      advice: /result_map in CONNECTION_SETTINGS/,
    })

    const mapped = JSON.stringify({ result_map: { sold: 'SALE_COMPLETED' } })
    t.match((await examine({ CONNECTION_SETTINGS: mapped })).get('result codes'), { status: 'ok' })
  })

  await t.test('names codes in the settings that Reten does not know', async (t) => {
    const codesOf = async (settings: object) =>
      (await examine({ CONNECTION_SETTINGS: JSON.stringify(settings) })).get('result codes')

    t.match(await codesOf({ result_map: { sold: 'VENDIDO' } }), { status: 'failed', found: /leads sold to VENDIDO/ })
    t.match(await codesOf({ on_give_up: 'GAVE_UP' }), { status: 'failed', advice: /correct on_give_up/ })
    t.match(await codesOf({ acknowledge_with_pending: true, pending_result: 'TAKEN' }), {
      status: 'failed',
      advice: /correct pending_result/,
    })
  })

  await t.test('says so where the provider refuses our key, and where it is not there', async (t) => {
    const refused = await examine({ YOM_API_KEY: 'a-key-yom-does-not-know' })
    const absent = await examine({ YOM_BASE_URL: await unusedOrigin() })

    t.match(refused.get('provider'), {
      status: 'failed',
      found: /yom refuses our credentials.*401/,
      advice: /YOM_API_KEY/,
    })
    t.match(absent.get('provider'), { status: 'failed', found: /refuses the connection/, advice: /YOM_BASE_URL/ })
  })

  await t.test('says that what it believes of YOM is an assumption', async (t) => {
    t.match((await examine()).get('provider'), { status: 'ok', assumption: /documents no tasks/ })
  })

  await t.test('names what an adapter lacks', async (t) => {
    const findings = await examine({ YOM_BASE_URL: '' })

    t.match(findings.get('provider'), { status: 'failed', found: /base_url is required/, advice: /YOM_BASE_URL/ })
    t.match(findings.get('webhook token'), { status: 'unchecked' })
  })

  await t.test('leaves a provider alone whose adapter has no harmless call', async (t) => {
    const findings = await examine({ PROVIDER: 'webhook', WEBHOOK_URL: 'http://127.0.0.1:1/tasks' })

    t.match(findings.get('provider'), { status: 'unchecked', found: /webhook knows no harmless call/ })
  })

  await t.test('asks for the token of a provider that reports by webhook', async (t) => {
    t.match((await examine({ WEBHOOK_TOKEN: '' })).get('webhook token'), {
      status: 'failed',
      advice: /set WEBHOOK_TOKEN/,
    })
    t.match((await examine({ WEBHOOK_TOKEN: '', PROVIDER: 'mock' })).get('webhook token'), { status: 'ok' })
  })

  await t.test('asks for a key to report with', async (t) => {
    const findings = await examine({ RETEN_API_KEY: '', RETEN_BASE_URL: '' })

    t.match(findings.get('Reten key'), { status: 'failed', advice: /RETEN_API_KEY, with RETEN_ENVIRONMENT/ })
  })

  await t.test('compares where Reten pushes to with where we are', async (t) => {
    const elsewhere = await examine({}, { publicUrl: 'https://elsewhere.example' })
    const unknown = await examine()

    t.match(elsewhere.get('Reten dispatch configuration'), {
      status: 'failed',
      found: /none names https:\/\/elsewhere\.example: .* to https:\/\/receiver\.example\.com/,
      advice: /enter https:\/\/elsewhere\.example as endpoint URL/,
    })
    t.match(unknown.get('Reten dispatch configuration'), { status: 'ok', found: /--public-url/ })
  })

  await t.test('goes on without a database', async (t) => {
    const findings = await examine({}, { db: undefined })

    t.match(findings.get('Reten key'), { status: 'ok' })
    t.match(findings.get('provider'), { status: 'ok' })
    t.match(findings.get('result codes'), { status: 'ok' })
  })

  await t.test('shows no secret, whatever it meets', async (t) => {
    const secret = 'a-secret-that-nobody-may-see'
    const found = [
      ...(await examine({ RETEN_API_KEY: secret, YOM_API_KEY: secret })).values(),
      ...(await examine()).values(),
    ]

    const shown = JSON.stringify(found)
    const secrets = ['RETEN_API_KEY', 'YOM_API_KEY', 'WEBHOOK_TOKEN', 'DISPATCH_API_KEY'].map(
      (name) => settings[name] ?? '',
    )
    for (const one of [secret, ...secrets]) t.notOk(shown.includes(one))
  })
})
