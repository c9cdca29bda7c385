import t from 'tap'
import type { Test } from 'tap'
import { createSilentLogger } from '../../src/logger.ts'
import { createMetrics } from '../../src/metrics.ts'
import { createDatabaseSampler } from '../../src/ops/sample-database.ts'
import { createConnectionCatalog } from '../../src/store/connection-catalog.ts'
import { addConnectionRow, openTestDb, storeDispatch } from './ops-fixture.ts'

async function createFixture(t: Test) {
  const { db } = await openTestDb(t)
  await addConnectionRow(db, 'acme')
  await addConnectionRow(db, 'idle')
  const logger = createSilentLogger()
  const config = { environmentConnection: undefined, secretsKeys: [] }
  const catalog = createConnectionCatalog({ db, config, logger })
  await catalog.refresh()
  const metrics = createMetrics({ withNodeMetrics: false })
  const sampler = createDatabaseSampler({ db, metrics, catalog, logger })
  const read = async () => {
    await sampler.runOnce()
    const samples = (await metrics.expose()).split('\n').filter((line) => line.startsWith('reten_receiver_'))
    return new Map(samples.map((line) => [line.slice('reten_receiver_'.length, line.lastIndexOf(' ')), valueOf(line)]))
  }
  return { db, sampler, read }
}

function valueOf(line: string): number {
  return Number(line.slice(line.lastIndexOf(' ') + 1))
}

void t.test('createDatabaseSampler', async (t) => {
  await t.test('says zero for every connection that has nothing to do', async (t) => {
    const { read } = await createFixture(t)

    const gauges = await read()

    for (const connection of ['acme', 'idle']) {
      for (const kind of ['deliver', 'report']) {
        t.equal(gauges.get(`jobs{connection="${connection}",kind="${kind}"}`), 0)
        t.equal(gauges.get(`oldest_due_seconds{connection="${connection}",kind="${kind}"}`), 0)
      }
      t.equal(gauges.get(`parked_dispatches{connection="${connection}"}`), 0)
      t.equal(gauges.get(`blocked_commerces{connection="${connection}"}`), 0)
    }
    t.equal(gauges.get('unaccounted_dispatches'), 0)
  })

  await t.test('counts the commerces that wait for a dispatch that holds them up', async (t) => {
    const { db, read } = await createFixture(t)
    await db
      .updateTable('connections')
      .set({ settings: '{"ordering":"commerce"}' })
      .where('name', '=', 'acme')
      .execute()
    const parked = await storeDispatch(db, 'first')
    await db.updateTable('jobs').set({ parked_reason: 'fate unknown' }).where('dispatch_id', '=', parked).execute()
    await storeDispatch(db, 'second')

    const gauges = await read()

    t.equal(gauges.get('blocked_commerces{connection="acme"}'), 1)
    t.equal(gauges.get('blocked_commerces{connection="idle"}'), 0)
  })

  await t.test('counts jobs, tells how late the oldest is, and leaves out what waits for a person', async (t) => {
    const { db, read } = await createFixture(t)
    const late = await storeDispatch(db, 'late')
    const parked = await storeDispatch(db, 'parked')
    await storeDispatch(db, 'now')
    const back = (minutes: number) => new Date(Date.now() - minutes * 60_000)
    await db
      .updateTable('jobs')
      .set({ due_at: back(10) })
      .where('dispatch_id', '=', late)
      .execute()
    await db
      .updateTable('jobs')
      .set({ due_at: back(60), parked_reason: 'fate unknown' })
      .where('dispatch_id', '=', parked)
      .execute()

    const gauges = await read()

    t.equal(gauges.get('jobs{connection="acme",kind="deliver"}'), 3)
    t.equal(gauges.get('parked_dispatches{connection="acme"}'), 1)
    const oldest = gauges.get('oldest_due_seconds{connection="acme",kind="deliver"}') ?? 0
    t.ok(oldest >= 600 && oldest < 660, `${oldest} s`)
  })

  await t.test('does not call late what is due later', async (t) => {
    const { db, read } = await createFixture(t)
    const id = await storeDispatch(db, 'later')
    await db
      .updateTable('jobs')
      .set({ due_at: new Date(Date.now() + 60_000) })
      .where('dispatch_id', '=', id)
      .execute()

    t.equal((await read()).get('oldest_due_seconds{connection="acme",kind="deliver"}'), 0)
  })

  await t.test(
    'raises the alarm for rows that nothing carries on, and lowers it when they are well again',
    async (t) => {
      const { db, read } = await createFixture(t)
      const jobless = await storeDispatch(db, 'jobless')
      const stray = await storeDispatch(db, 'stray')
      await db.deleteFrom('jobs').where('dispatch_id', '=', jobless).execute()
      await db.deleteFrom('dispatches').where('id', '=', stray).execute()

      t.equal((await read()).get('unaccounted_dispatches'), 2)

      await db
        .updateTable('dispatches')
        .set({ state: 'discarded', finished_at: new Date() })
        .where('id', '=', jobless)
        .execute()
      await db.deleteFrom('jobs').where('dispatch_id', '=', stray).execute()
      t.equal((await read()).get('unaccounted_dispatches'), 0)
    },
  )

  await t.test('runs as a service and stops', async (t) => {
    const { sampler } = await createFixture(t)

    await sampler.start()
    t.equal(sampler.fault(), undefined)
    await sampler.stop()
  })
})
