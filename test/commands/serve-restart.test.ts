// A service that ends in the middle of its work, in order or by force, and comes back: nothing is lost and nothing is done twice.
import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import { createSilentLogger } from '../../src/logger.ts'
import { openDatabase } from '../../src/store/database.ts'
import type { Db } from '../../src/store/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { expireLeases, until } from '../support/ledger.ts'
import { startServiceProcess } from '../support/service-process.ts'
import { openStage } from '../support/stage.ts'
import type { Stage, StageOptions } from '../support/stage.ts'

const ACTIVITIES = 70
/** Two starts of a process and seventy activities take a few seconds, several times that on a busy machine. */
const DONE_TIMEOUT_MS = 40_000
/** A stop has ten seconds for what is under way, and there is nothing under way that takes one. */
const STOP_BOUND_MS = 8_000

t.setTimeout(90_000)

async function setUp(
  t: Test,
  options: Partial<StageOptions> = {},
): Promise<{ readonly stage: Stage; readonly db: Db }> {
  const { url } = await createTestDatabase(t)
  const handle = openDatabase({ url, poolSize: 2, logger: createSilentLogger() })
  t.teardown(() => handle.close())
  const stage = await openStage(t, {
    databaseUrl: url,
    ...options,
    reten: { seed: 1, switches: { payloadShape: 'mixed', dispatchBatch: ACTIVITIES }, ...options.reten },
    yom: {
      seed: 1,
      ...options.yom,
      switches: { workMinMs: 0, workMaxMs: 50, webhookRetryMs: 100, webhookAttempts: 10, ...options.yom?.switches },
    },
  })
  return { stage, db: handle.db }
}

/** Ids of dispatches that Reten was told of, and that are not stored. */
async function findLost({ reten }: Stage, db: Db): Promise<readonly string[]> {
  const acknowledged = reten
    .activities()
    .filter(({ pushes }) => pushes.some(({ outcome }) => outcome === 'acknowledged'))
  const stored = new Set(
    (await db.selectFrom('dispatches').select('activity_id').execute()).map((row) => row.activity_id),
  )
  return acknowledged.map(({ id }) => id).filter((id) => !stored.has(id))
}

/** Everything at both ends once, and nothing left to do in between. */
async function assertAllDoneOnce(t: Test, { reten, yom }: Stage, db: Db): Promise<void> {
  await until(() => reten.counts().registered === ACTIVITIES, DONE_TIMEOUT_MS)
  await yom.idle()
  await until(async () => (await db.selectFrom('jobs').select('id').execute()).length === 0)

  t.match(yom.counts(), { tasks: ACTIVITIES, externalIds: ACTIVITIES, doubled: 0 }, 'one task for each')
  t.match(
    reten.counts(),
    {
      acknowledged: ACTIVITIES,
      registered: ACTIVITIES,
      registrations: ACTIVITIES,
      doubled: 0,
      differingProviderIds: 0,
    },
    'one result for each',
  )
  const { rows } = await sql<{ state: string; count: number }>`
    select state, count(*)::int as count from dispatches group by state`.execute(db)
  t.strictSame(rows, [{ state: 'completed', count: ACTIVITIES }])
}

t.test('a service under load', async (t) => {
  t.jobs = 3

  t.test('that is told to stop ends in order, has stored what it acknowledged, and is gone on with', async (t) => {
    const { stage, db } = await setUp(t)
    const { reten, yom, settings, connect } = stage
    const first = await startServiceProcess(t, settings)
    connect(first.publicUrl)
    reten.createActivities(ACTIVITIES)

    const dispatching = reten.dispatchOnce()
    await until(() => yom.counts().tasks > 20)
    const stoppedAt = performance.now()
    first.kill('SIGTERM')

    t.strictSame(await first.ended, { code: 0, signal: null })
    t.ok(performance.now() - stoppedAt < STOP_BOUND_MS)
    t.equal(first.stderr(), '')
    await dispatching
    t.strictSame(await findLost(stage, db), [])
    const left = await sql<{ leased: number; crashes: number; charged: number }>`
      select count(leased_until)::int as leased, coalesce(sum(crashes), 0)::int as crashes,
        count(*) filter (where attempts > 0)::int as charged from jobs`.execute(db)
    t.strictSame(left.rows, [{ leased: 0, crashes: 0, charged: 0 }], 'all was finished or given back')

    const second = await startServiceProcess(t, settings)
    connect(second.publicUrl)
    await reten.dispatchAll()

    await assertAllDoneOnce(t, stage, db)
  })

  for (const idempotency of ['key', 'lookup'] as const) {
    t.test(
      `that is killed is gone on with, where the provider can ${idempotency === 'key' ? 'recognise' : 'find'} a repeat`,
      async (t) => {
        const { stage, db } = await setUp(t, {
          // Slow enough for deliveries and reports to be under way at any moment.
          yom: { switches: { idempotency }, faults: { odds: { tasks: { slow: 0.3 } } } },
          reten: { faults: { odds: { results: { slow: 0.3 } } } },
        })
        const { reten, yom, connect } = stage
        const settings = idempotency === 'key' ? stage.settings : { ...stage.settings, YOM_IDEMPOTENCY: idempotency }
        const first = await startServiceProcess(t, settings)
        connect(first.publicUrl)
        reten.createActivities(ACTIVITIES)

        const dispatching = reten.dispatchOnce()
        await until(() => reten.counts().registered > 10)
        first.kill('SIGKILL')

        t.strictSame(await first.ended, { code: null, signal: 'SIGKILL' })
        await dispatching
        t.strictSame(await findLost(stage, db), [])
        await yom.idle()
        const { rows } = await sql<{ leased: number }>`select count(leased_until)::int as leased from jobs`.execute(db)
        t.ok((rows[0]?.leased ?? 0) > 0, 'it held claims when it was killed')
        await expireLeases(db)

        const second = await startServiceProcess(t, settings)
        connect(second.publicUrl)
        await reten.dispatchAll()

        await assertAllDoneOnce(t, stage, db)
      },
    )
  }
})
