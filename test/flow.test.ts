// One activity's way, from Reten to Reten: everything real but the two ends, and those speak HTTP.
import t from 'tap'
import { startService } from '../src/commands/start-service.ts'
import { loadConfig } from '../src/config.ts'
import { computeDispatchId } from '../src/dispatch/identity.ts'
import { createSilentLogger } from '../src/logger.ts'
import { createTestDatabase } from './support/database.ts'
import { until } from './support/ledger.ts'
import { askOperators, openStage } from './support/stage.ts'

// YOM's people take their time: a task ends when the story says so.
const AN_HOUR_MS = 3_600_000

t.test('an activity', async (t) => {
  const { url } = await createTestDatabase(t)
  const { reten, yom, settings, connect } = await openStage(t, {
    databaseUrl: url,
    yom: { switches: { workMinMs: AN_HOUR_MS, workMaxMs: AN_HOUR_MS } },
  })
  const service = await startService({ config: loadConfig(settings), logger: createSilentLogger() })
  t.teardown(() => service.stop())
  connect(service.publicUrl)

  const [activity] = reten.createActivities(1)
  const activityId = activity?.id ?? ''
  const dispatchId = computeDispatchId('default', activityId)
  const dispatch = () => askOperators(service.opsUrl, `/admin/dispatches/${dispatchId}`)
  const untilState = (state: string) => until(async () => (await dispatch())['state'] === state)

  await t.test('is dispatched by Reten, and acknowledged once it is stored', async (t) => {
    t.match(await reten.dispatchOnce(), { attempted: 1, failedAttempts: 0 })

    t.match(reten.activity(activityId), { status: 'DISPATCHED', providerActivityId: dispatchId })
    t.match(await dispatch(), { id: dispatchId, activityId, connection: 'default' })
  })

  await t.test('is answered the same when Reten sends it again', async (t) => {
    t.match(await reten.resend(activityId), { outcome: 'acknowledged', providerActivityId: dispatchId })
    t.match(await dispatch(), { repeats: 1, changedBodies: 0 })
  })

  await t.test('becomes one task at YOM', async (t) => {
    await untilState('delivered')

    const [task, ...others] = yom.tasksFor(dispatchId)
    t.strictSame(others, [])
    t.match(task, { externalId: dispatchId, activityId, idempotencyKey: dispatchId, status: 'OPEN' })
    t.match(await dispatch(), { providerTaskId: task?.internalTaskId, results: [], jobs: [] })
  })

  await t.test('is done by YOM, whose webhook tells so, and is reported to Reten', async (t) => {
    t.ok(yom.finishTask(dispatchId, { status: 'EFFECTIVE', result: 'SALE_COMPLETED', comment: 'twelve boxes' }))
    await untilState('completed')

    t.match(reten.activity(activityId), {
      status: 'COMPLETED',
      result: { resultStatus: 'EFFECTIVE', taskDetails: { result: 'SALE_COMPLETED', comment: 'twelve boxes' } },
      registrations: { final: 1, doubled: 0, conflicts: 0 },
    })
  })

  await t.test('is done once, however often YOM tells so', async (t) => {
    yom.resendWebhook(dispatchId)
    await yom.idle()

    const results = (await dispatch())['results'] as readonly unknown[]
    t.equal(results.length, 1)
    t.match(reten.counts(), { registered: 1, registrations: 1, doubled: 0, conflicts: 0, resultRequests: 1 })
    t.match(yom.counts(), { tasks: 1, doubled: 0 })
  })

  await t.test('can be looked up with all that was tried for it', async (t) => {
    const { attempts, ...rest } = await dispatch()

    t.match(rest, { state: 'completed', finishedAt: String, deliveredAt: String, jobs: [] })
    t.match(attempts, [
      { kind: 'deliver', outcome: 'accepted', httpStatus: 201 },
      { kind: 'report', outcome: 'accepted', httpStatus: 201 },
    ])
  })
})
