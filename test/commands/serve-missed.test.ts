// What Reten gave up while nobody listened, with everything real but the two ends, and those speak HTTP.
import t from 'tap'
import type { Test } from 'tap'
import { startService } from '../../src/commands/start-service.ts'
import { loadConfig } from '../../src/config.ts'
import { createSilentLogger } from '../../src/logger.ts'
import { createSandboxClock } from '../../src/sandbox/clock.ts'
import type { RetenSwitches } from '../../src/sandbox/reten/switches.ts'
import { MINUTE_MS } from '../../src/time.ts'
import { createTestDatabase } from '../support/database.ts'
import { unusedOrigin } from '../support/local-server.ts'
import { until } from '../support/ledger.ts'
import { askOperators, openStage, tellOperators } from '../support/stage.ts'

/** Reten dispatches three activities to nobody and gives them up; then the service starts, and an operator cannot wait. */
async function miss(t: Test, switches: Partial<RetenSwitches>) {
  const { url } = await createTestDatabase(t)
  const clock = createSandboxClock({ startAtMs: Date.now() - 12 * MINUTE_MS })
  const { reten, yom, settings, connect } = await openStage(t, {
    databaseUrl: url,
    reten: { clock, switches },
    yom: { clock, switches: { workMinMs: 0, workMaxMs: 100 } },
    connection: { reconcile_from: new Date(clock.nowMs()).toISOString() },
  })
  connect(await unusedOrigin())
  reten.createActivities(3)
  await reten.dispatchAll()
  t.match(reten.counts().byStatus, { FAILED: 3 })
  clock.advance(Date.now() - clock.nowMs())

  const service = await startService({ config: loadConfig(settings), logger: createSilentLogger() })
  t.teardown(() => service.stop())
  connect(service.publicUrl)
  await tellOperators(service.opsUrl, '/admin/reconciliations', { connection: 'default', reason: 'we were away' })
  const last = async (): Promise<Record<string, unknown>> => {
    const { data } = await askOperators(service.opsUrl, '/admin/reconciliations')
    // The admin API's own shape; what the rows hold is asserted below.
    return (data as Record<string, unknown>[])[0] ?? {}
  }
  await until(async () => (await last())['finishedAt'] !== null)
  return { reten, yom, last: await last(), service }
}

t.test('activities that Reten gave up while nobody listened', async (t) => {
  await t.test('are found, delivered and reported, each once', async (t) => {
    const { reten, yom, last } = await miss(t, {})

    t.match(last, { missing: 3, differences: 0, error: null, requestedBy: 'admin' })
    await until(() => reten.counts().byStatus['COMPLETED'] === 3)
    t.match(reten.counts(), { registered: 3, doubled: 0, conflicts: 0 })
    t.match(yom.counts(), { tasks: 3, doubled: 0 })
  })

  await t.test('end before a person where Reten takes no results for them', async (t) => {
    const { yom, service } = await miss(t, { failedTakesResults: 'refuse' })

    const isConflict = async (): Promise<boolean> => {
      const { data } = await askOperators(service.opsUrl, '/admin/dispatches?state=delivered')
      const ids = (data as { id: string }[]).map(({ id }) => id) // the admin API's own shape
      const stories = await Promise.all(ids.map((id) => askOperators(service.opsUrl, `/admin/dispatches/${id}`)))
      const states = stories.flatMap(({ results }) => (results as { state: string }[]).map(({ state }) => state))
      return states.length === 3 && states.every((state) => state === 'conflict')
    }
    await until(isConflict)
    t.match(yom.counts(), { tasks: 3, doubled: 0 })
  })

  await t.test('are named to a person where Reten hides them, and not delivered', async (t) => {
    const { reten, yom, last } = await miss(t, { failedInList: 'hidden' })

    t.match(last, { seen: 0, missing: 0, differences: 3, error: null })
    t.same(
      new Set((last['findings'] as { activityId: string; kind: string }[]).map(({ activityId }) => activityId)),
      new Set(reten.activities().map(({ id }) => id)),
    )
    t.match(yom.counts(), { tasks: 0 })
  })
})
