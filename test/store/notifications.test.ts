import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import { createSilentLogger } from '../../src/logger.ts'
import type { Db } from '../../src/store/database.ts'
import { createListener, createNotifier } from '../../src/store/notifications.ts'
import type { ListenerDeps } from '../../src/store/notifications.ts'
import type { Service } from '../../src/services.ts'
import type { JobKind } from '../../src/store/tables.ts'
import { openBreakableWay } from '../support/breakable-way.ts'
import { serveSockets, unusedOrigin } from '../support/local-server.ts'
import { until } from '../support/ledger.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

const logger = createSilentLogger()

interface Listening {
  readonly listener: Service
  /** Resolves with the kinds that came next, once there are `count` of them. */
  readonly next: (count: number) => Promise<JobKind[]>
}

/** A listener that is started and ends with the test. */
function listen(t: Test, url: string, options: Partial<ListenerDeps> = {}): Listening {
  const heard: JobKind[] = []
  let tell = (): void => {}
  const onNotified = (kind: JobKind): void => {
    heard.push(kind)
    tell()
  }
  const listener = createListener({ url, logger, onNotified, ...options })
  t.teardown(() => listener.stop())
  void listener.start()
  const next = (count: number): Promise<JobKind[]> =>
    new Promise((resolve) => {
      tell = () => {
        if (heard.length >= count) resolve(heard.splice(0, count))
      }
      tell()
    })
  return { listener, next }
}

async function endListeners(db: Db): Promise<void> {
  await sql`
    select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where application_name = 'reten-dispatch-listener' and datname = current_database()`.execute(db)
}

void t.test('createListener', async (t) => {
  await t.test('hears what another process notifies', async (t) => {
    const { db, url } = await openTestDatabase(t)
    const { listener, next } = listen(t, url)
    t.same(await next(3), ['deliver', 'report', 'cancel'], 'once listening, something may have been missed')
    t.equal(listener.fault(), undefined)

    createNotifier(db, logger).notify('report')

    t.same(await next(1), ['report'])
  })

  await t.test('passes over what others say on its channel', async (t) => {
    const { db, url } = await openTestDatabase(t)
    const { next } = listen(t, url)
    await next(3)

    for (const payload of ['', 'something', 'deliver']) {
      await sql`select pg_notify('reten_dispatch_receiver', ${payload})`.execute(db)
    }

    t.same(await next(1), ['deliver'])
  })

  await t.test('comes back when its connection ends, and nudges for what it may have missed', async (t) => {
    const { db, url } = await openTestDatabase(t)
    const { listener, next } = listen(t, url)
    await next(3)

    await endListeners(db)

    t.same(await next(3), ['deliver', 'report', 'cancel'])
    t.equal(listener.fault(), undefined)
    createNotifier(db, logger).notify('deliver')
    t.same(await next(1), ['deliver'])
  })

  await t.test('notices that its network has died without a word, and comes back', async (t) => {
    const { db, url } = await openTestDatabase(t)
    const way = await openBreakableWay(t, url)
    // The time to answer is far above what an answer takes.
    const { listener, next } = listen(t, way.url, { checkIntervalMs: 10, checkTimeoutMs: 1_000 })
    await next(3)
    way.stall()
    await until(() => listener.fault() !== undefined)
    t.match(listener.fault(), /no answer within 1000 ms/)

    way.restore()

    t.same(await next(3), ['deliver', 'report', 'cancel'], 'something may have been missed')
    t.equal(listener.fault(), undefined)
    createNotifier(db, logger).notify('deliver')
    t.same(await next(1), ['deliver'])
  })

  await t.test('says what is wrong while nobody answers, and stops at once', async (t) => {
    const url = (await unusedOrigin()).replace('http', 'postgres')
    const { promise: lost, resolve } = Promise.withResolvers<void>()
    const watching = createSilentLogger()
    watching.warn = () => resolve()
    const listener = createListener({ url, logger: watching, onNotified: () => {} })
    t.match(listener.fault(), /not connected yet/)
    void listener.start()
    await lost

    t.match(listener.fault(), /ECONNREFUSED/)
    await t.resolves(listener.stop())
  })

  await t.test('stops at once while it waits for a server that says nothing', async (t) => {
    const origin = await serveSockets(t, (socket) => t.teardown(() => socket.destroy()))
    const listener = createListener({ url: origin.replace('http', 'postgres'), logger, onNotified: () => {} })
    void listener.start()

    await t.resolves(listener.stop())
  })

  await t.test('stops at once while it listens', async (t) => {
    const { url } = await openTestDatabase(t)
    const { listener, next } = listen(t, url)
    await next(3)

    await t.resolves(listener.stop())
  })
})

void t.test('createNotifier', async (t) => {
  await t.test('makes one notification of many calls', async (t) => {
    const { db, url } = await openTestDatabase(t)
    const { next } = listen(t, url)
    await next(3)
    const notifier = createNotifier(db, logger)

    for (let call = 0; call < 100; call += 1) notifier.notify('deliver')
    notifier.notify('report')

    t.same(await next(2), ['deliver', 'report'])
    notifier.notify('deliver')
    t.same(await next(1), ['deliver'], 'and none of the hundred is left')
  })

  await t.test('notifies again after a notification was lost', async (t) => {
    const { db, url } = await openTestDatabase(t)
    const { next } = listen(t, url)
    await next(3)
    const { promise: dropped, resolve } = Promise.withResolvers<void>()
    const watching = createSilentLogger()
    watching.debug = () => resolve()
    let runs = 0
    const failing = db.withPlugin({
      transformQuery: ({ node }) => {
        runs += 1
        if (runs === 1) throw new Error('Connection terminated')
        return node
      },
      transformResult: async ({ result }) => result,
    })
    const notifier = createNotifier(failing, watching)

    notifier.notify('deliver')
    await dropped
    notifier.notify('report')

    t.same(await next(1), ['report'])
  })
})
