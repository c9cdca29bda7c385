// Order per commerce: whose turn it is, whatever happened to those before it.
import { sql } from 'kysely'
import t from 'tap'
import { discardDispatch } from '../../src/store/discard-dispatch.ts'
import { insertDispatches } from '../../src/store/insert-dispatches.ts'
import { MAX_CRASHES, rescueJobs } from '../../src/store/rescue-jobs.ts'
import { settleDelivered, settleFailed, settleParked, settleRetry } from '../../src/store/settle-delivery.ts'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import { openDatabase } from '../../src/store/database.ts'
import type { Db } from '../../src/store/database.ts'
import { claimJobs } from '../../src/store/claim-jobs.ts'
import { createDueSearch } from '../../src/store/due-search.ts'
import { settleReported } from '../../src/store/settle-report.ts'
import { createSilentLogger } from '../../src/logger.ts'
import {
  addConnection,
  buildAttempt,
  buildDispatch,
  claimOne,
  CONNECTION,
  expireLeases,
  openLedger,
  recordEvent,
  redeliver,
  replay,
  storeDispatch,
} from '../support/ledger.ts'

const { db, url } = await openLedger(t)
const handle = openDatabase({ url, poolSize: 4, logger: createSilentLogger() })
t.teardown(() => handle.close())
const other = handle.db

const DELIVERED = { providerTaskId: undefined, result: undefined }
const IN_AN_HOUR = { delayMs: 3_600_000, isCharged: true, isFateUnknown: false }

async function choose(settings: object): Promise<void> {
  await sql`update connections set settings = ${JSON.stringify(settings)} where name = ${CONNECTION}`.execute(db)
}

const store = (name: string, commerceId = 'C-1'): Promise<string> => storeDispatch(db, name, { commerceId })

async function claimShare(from: Db, share: { readonly maxInFlight?: number; readonly commerces?: string[] } = {}) {
  const shares = [{ connection: CONNECTION, maxInFlight: 100, ...share }]
  return claimJobs(from, { kind: 'deliver', worker: 'worker-a', leaseSeconds: 60, shares })
}

const claimIds = async (from: Db = db): Promise<string[]> => (await claimShare(from)).map((job) => job.dispatchId)

async function claimOnly(): Promise<ClaimedJob> {
  const [job, ...more] = await claimShare(db)
  if (job === undefined || more.length > 0) throw new Error(`${more.length + (job ? 1 : 0)} were claimed`)
  return job
}

void t.test('order per commerce', async (t) => {
  t.beforeEach(() => choose({ ordering: 'commerce' }))

  await t.test('has one delivery per commerce in flight, the earliest, and others side by side', async (t) => {
    const first = await store('A-1')
    const second = await store('A-2')
    const elsewhere = await store('A-3', 'C-2')

    t.same(new Set(await claimIds()), new Set([first, elsewhere]))
    t.same(await claimIds(), [])

    await sql`delete from jobs where dispatch_id = ${first}`.execute(db)
    t.same(await claimIds(), [second])
  })

  await t.test('keeps none where the connection does not choose it', async (t) => {
    await choose({})
    await store('A-1')
    await store('A-2')

    t.equal((await claimIds()).length, 2)
  })

  await t.test('keeps the connections apart: the same commerce at another one waits for nothing', async (t) => {
    await addConnection(db, 'second', { settings: { ordering: 'commerce' } })
    await store('A-1')
    const there = await storeDispatch(db, 'A-1', { connection: 'second' })
    await claimIds()

    const shares = [{ connection: 'second', maxInFlight: 1 }]
    t.match(await claimJobs(db, { kind: 'deliver', worker: 'w', leaseSeconds: 60, shares }), [{ dispatchId: there }])
  })

  await t.test('lets nobody pass a delivery that is tried again in an hour', async (t) => {
    await store('A-1')
    await store('A-2')
    await settleRetry(db, buildAttempt(await claimOnly()), IN_AN_HOUR)

    t.same(await claimIds(), [])
  })

  await t.test('lets nobody pass a parked one, until it is skipped', async (t) => {
    const first = await store('A-1')
    const second = await store('A-2')
    await settleParked(db, buildAttempt(await claimOnly()), 'timeout')
    t.same(await claimIds(), [])

    await sql`update jobs set is_skipped = true where dispatch_id = ${first}`.execute(db)

    t.same(await claimIds(), [second])
  })

  await t.test('lets nobody pass one that was skipped, repeated and parked again', async (t) => {
    const first = await store('A-1')
    await store('A-2')
    await settleParked(db, buildAttempt(await claimOnly()), 'timeout')
    await sql`update jobs set is_skipped = true where dispatch_id = ${first}`.execute(db)
    await replay(db, first)

    await settleParked(db, buildAttempt(await claimOnly()), 'timeout')

    t.same(await claimIds(), [])
  })

  for (const fail of [
    async () => void (await settleFailed(db, buildAttempt(await claimOnly()), 'rejected')),
    async () => {
      for (let crash = 0; crash < MAX_CRASHES; crash += 1) {
        await claimOnly()
        await expireLeases(db)
        await rescueJobs(db)
      }
    },
  ]) {
    await t.test('lets nobody pass a failed one, until it is none any more', async (t) => {
      const first = await store('A-1')
      const second = await store('A-2')
      await fail()
      t.same(await claimIds(), [])

      await replay(db, first)
      await settleDelivered(db, buildAttempt(await claimOnly()), DELIVERED)

      t.same(await claimIds(), [second])
    })
  }

  await t.test('lets others pass a failed one that is discarded', async (t) => {
    const first = await store('A-1')
    const second = await store('A-2')
    await settleFailed(db, buildAttempt(await claimOnly()), 'rejected')

    await sql`update dispatches set state = 'discarded' where id = ${first}`.execute(db)

    t.same(await claimIds(), [second])
  })

  const author = { actor: 'otto', requestId: undefined }
  for (const [name, end] of [
    ['replayed', (id: string) => replay(db, id)],
    ['discarded', (id: string) => discardDispatch(db, { id, reason: 'a test', author })],
    ['delivered with a changed body', () => redeliver(db)],
    [
      'reported as done',
      async () => {
        await recordEvent(db, buildDispatch('A-1').id)
        const report = await claimOne(db, 'report')
        await settleReported(db, buildAttempt(report), { retenResultId: undefined, isFinal: true })
      },
    ],
  ] as const) {
    await t.test(`leaves nothing behind of a failed one that is ${name}`, async (t) => {
      const id = await store('A-1')
      await settleFailed(db, buildAttempt(await claimOnly()), 'rejected')
      t.equal((await db.selectFrom('commerce_blocks').selectAll().execute()).length, 1)

      await end(id)

      t.same(await db.selectFrom('commerce_blocks').selectAll().execute(), [])
    })
  }

  await t.test('lets others pass a failed one where the connection says so', async (t) => {
    await choose({ ordering: 'commerce', failed_blocks: false })
    await store('A-1')
    const second = await store('A-2')
    await settleFailed(db, buildAttempt(await claimOnly()), 'rejected')

    t.same(await claimIds(), [second])
  })

  await t.test('is held up by a failed one no more once the connection changes its mind', async (t) => {
    await store('A-1')
    const second = await store('A-2')
    await settleFailed(db, buildAttempt(await claimOnly()), 'rejected')

    await choose({ ordering: 'commerce', failed_blocks: false })

    t.same(await claimIds(), [second])
  })

  await t.test('begins with an earlier one that became visible late, and never beside a later one', async (t) => {
    const late = buildDispatch('A-1')
    const released = Promise.withResolvers<void>()
    const stored = Promise.withResolvers<void>()
    const slow = other.transaction().execute(async (tx) => {
      await insertDispatches(tx, [late])
      stored.resolve()
      await released.promise
    })
    await stored.promise
    const second = await store('A-2')
    const third = await store('A-3')
    const [ahead] = await claimShare(db)
    t.equal(ahead?.dispatchId, second, 'nobody can know of the first')
    released.resolve()
    await slow

    t.same(await claimIds(), [], 'one of its commerce is in flight')
    await sql`delete from jobs where id = ${ahead?.id}`.execute(db)
    t.same(await claimIds(), [late.id], 'before the third, which was there earlier')
    await sql`delete from jobs where dispatch_id = ${late.id}`.execute(db)
    t.same(await claimIds(), [third])
  })

  await t.test('does a replay before what waits, beside nothing, and goes on after it', async (t) => {
    const first = await store('A-1')
    await settleDelivered(db, buildAttempt(await claimOnly()), DELIVERED)
    await store('A-2')
    const third = await store('A-3')
    const second = await claimOnly()

    await replay(db, first)
    t.same(await claimIds(), [], 'the second is in flight')
    await settleDelivered(db, buildAttempt(second), DELIVERED)
    const again = await claimOnly()
    t.equal(again.dispatchId, first)
    t.same(await claimIds(), [])
    await settleDelivered(db, buildAttempt(again), DELIVERED)

    t.same(await claimIds(), [third])
  })

  await t.test('finds what is next in a commerce whose delivery ended, however old it is', async (t) => {
    await store('A-1')
    const second = await store('A-2')
    const job = await claimOnly()
    await settleDelivered(db, buildAttempt(job), DELIVERED)
    const dueFrom = new Date(Date.now() + 3_600_000) // nothing is found by its time
    const share = { dueFrom, commerces: ['C-0', 'C-1', 'C-1'] }

    t.same(await claimShare(db, { ...share, maxInFlight: 0 }), [])
    t.match(await claimShare(db, { ...share, maxInFlight: 1 }), [{ dispatchId: second }])
    t.same(await claimShare(db, share), [])
  })

  await t.test('is kept within the slots where a commerce is freed', async (t) => {
    await store('A-1')
    await store('A-2')
    await store('B-1', 'C-2')
    await store('B-2', 'C-2')
    for (const job of await claimShare(db)) await settleDelivered(db, buildAttempt(job), DELIVERED)
    await store('D-1', 'C-3')

    t.equal((await claimShare(db, { maxInFlight: 1, commerces: ['C-1', 'C-2'] })).length, 1)
    t.equal((await claimShare(db, { maxInFlight: 2, commerces: ['C-1', 'C-2'] })).length, 1)
  })

  await t.test('is no reason to look at what waits again and again', async (t) => {
    await store('A-1')
    await store('A-2')
    const search = createDueSearch(db, { kind: 'deliver', leaseSeconds: 60 })
    t.equal((await search.find()).length, 1)
    await settleParked(db, buildAttempt(await claimOnly()), 'timeout')

    t.same(await search.find(), [])
  })

  await t.test('holds where workers race, with every kind of end', async (t) => {
    const commerces = ['C-1', 'C-2', 'C-3']
    for (let number = 0; number < 36; number += 1) await store(`A-${number}`, commerces[number % 3])
    const told = new Map<string, number[]>()
    const inFlight = new Set<string>()
    let tries = 0

    const work = async (from: Db): Promise<void> => {
      for (let round = 0; round < 400; round += 1) {
        const jobs = await claimShare(from, { maxInFlight: 3 })
        await Promise.all(
          jobs.map(async (job) => {
            t.notOk(inFlight.has(job.commerceId), 'one at a time')
            inFlight.add(job.commerceId)
            const { seq } = await from
              .selectFrom('dispatches')
              .select('seq')
              .where('id', '=', job.dispatchId)
              .executeTakeFirstOrThrow()
            const end = (tries += 1) % 5
            inFlight.delete(job.commerceId)
            if (end === 0) {
              await settleRetry(from, buildAttempt(job), { ...IN_AN_HOUR, delayMs: 0 })
              return
            }
            told.set(job.commerceId, [...(told.get(job.commerceId) ?? []), seq])
            await settleDelivered(from, buildAttempt(job), DELIVERED)
          }),
        )
        if ((await from.selectFrom('jobs').select('id').limit(1).execute()).length === 0) return
      }
    }
    await Promise.all([work(db), work(other)])

    t.equal([...told.values()].flat().length, 36)
    for (const seqs of told.values())
      t.same(
        seqs,
        seqs.toSorted((a, b) => a - b),
        'in the order of arrival',
      )
  })
})
