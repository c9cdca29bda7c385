// Wrong keys in .env: what was acknowledged waits, health says why, and the right keys at the next start are enough.
import t from 'tap'
import { request } from 'undici'
import { createTestDatabase } from '../support/database.ts'
import { until } from '../support/ledger.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { askOperators, openStage } from '../support/stage.ts'

t.setTimeout(90_000)
/** Probes come every five seconds, and the instance before keeps its turn for twelve. */
const DONE_TIMEOUT_MS = 40_000

t.test('a service whose keys are refused goes on after a restart with the right ones', async (t) => {
  const { url } = await createTestDatabase(t)
  const { reten, yom, settings, connect } = await openStage(t, {
    databaseUrl: url,
    reten: { seed: 1, switches: { dispatchBatch: 1 } },
    yom: { seed: 1, switches: { workMinMs: 0, workMaxMs: 20 } },
  })
  const wrong = { ...settings, YOM_API_KEY: 'not-the-key-of-yom', RETEN_API_KEY: 'rtn_sk_not_the_key' }
  const first = await startServiceProcess(t, wrong)
  connect(first.publicUrl)
  reten.createActivities(1)
  await reten.dispatchAll()
  await first.logged('connection.paused')

  const health = await request(`${first.opsUrl}/health`)
  t.equal(health.statusCode, 503)
  t.match(await health.body.text(), /default: deliveries are paused: YOM answered 401/)
  t.match(await askOperators(first.opsUrl, '/admin/connections/default'), {
    state: 'paused',
    pausedBy: 'service',
    nextProbeAt: String,
    reporting: { state: 'active' },
  })
  first.kill('SIGTERM')
  await first.ended

  const second = await startServiceProcess(t, { ...settings, RETEN_API_KEY: wrong.RETEN_API_KEY })
  connect(second.publicUrl)
  await until(() => yom.counts().tasks === 1, DONE_TIMEOUT_MS)
  await second.logged('reporting.paused')
  t.match(await askOperators(second.opsUrl, '/admin/connections/default'), {
    state: 'active',
    reporting: { state: 'paused', nextProbeAt: String },
  })
  second.kill('SIGTERM')
  await second.ended

  const third = await startServiceProcess(t, settings)
  connect(third.publicUrl)
  t.match(await third.logged('reporting.resumed'), { connection: 'default' })
  t.match(await askOperators(third.opsUrl, '/admin/connections/default'), { reporting: { state: 'active' } })
})
