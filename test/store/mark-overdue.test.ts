import { sql } from 'kysely'
import t from 'tap'
import { createSilentLogger } from '../../src/logger.ts'
import { createOverdueWatch } from '../../src/ops/watch-overdue.ts'
import { listDispatches } from '../../src/store/list-dispatches.ts'
import { countOverdue, markOverdue } from '../../src/store/mark-overdue.ts'
import { settleParked } from '../../src/store/settle-delivery.ts'
import { buildAttempt, claimOne, deliver, openLedger, recordEvent, replay, storeDispatch } from '../support/ledger.ts'

const { db } = await openLedger(t)

const LIMITS = [{ connection: 'acme', seconds: 3_600 }]

/** Delivered so many minutes ago; scheduled as many minutes ago where that is said. */
async function addDelivered(activityId: string, deliveredMinutes: number, scheduledMinutes?: number): Promise<string> {
  const id = await storeDispatch(db, activityId)
  await deliver(db, `T-${activityId}`)
  const ago = (minutes: number) => sql<Date>`now() - make_interval(mins => ${minutes})`
  await db
    .updateTable('dispatches')
    .set({
      delivered_at: ago(deliveredMinutes),
      scheduled_at: scheduledMinutes === undefined ? null : ago(scheduledMinutes),
    })
    .where('id', '=', id)
    .execute()
  return id
}

const mark = async () => (await markOverdue(db, LIMITS)).marked.map(({ dispatchId }) => dispatchId)
const listed = async () => (await listDispatches(db, { isOverdue: true, limit: 10 })).map(({ id }) => id)
const count = async () => (await countOverdue(db)).get('acme') ?? 0

t.test('markOverdue', async (t) => {
  t.test('finds what nobody told of for longer than its connection waits, once', async (t) => {
    const id = await addDelivered('late', 61)
    await addDelivered('fresh', 59)
    await storeDispatch(db, 'waiting')

    const { marked } = await markOverdue(db, LIMITS)

    t.match(marked, [{ dispatchId: id, activityId: 'late', connection: 'acme', deliveredAt: Date }])
    t.equal(marked.length, 1)
    t.same(await mark(), [], 'it is told once')
    t.same(await listed(), [id])
    t.equal(await count(), 1)
  })

  t.test('counts from the later of delivery and schedule', async (t) => {
    await addDelivered('scheduled later', 600, 10)
    const id = await addDelivered('scheduled earlier', 61, 600)

    t.same(await mark(), [id])
  })

  t.test('counts from the last word where there was one, and ends with the final one', async (t) => {
    const id = await addDelivered('begun', 61)
    await recordEvent(db, id, { eventId: 'E-1', status: 'PENDING' })
    t.same(await mark(), [])

    await sql`update results set created_at = now() - interval '61 minutes'`.execute(db)
    t.same(await mark(), [id])

    await recordEvent(db, id, { eventId: 'E-2' })
    t.same(await listed(), [])
    t.equal(await count(), 0)
    t.same(await mark(), [])
  })

  t.test('is not owed by a provider that never reports', async (t) => {
    await addDelivered('late', 61)

    t.same((await markOverdue(db, [])).marked, [])
  })

  t.test('takes the mark back where the connection waits longer by now, and with a replay', async (t) => {
    const id = await addDelivered('late', 61)
    await mark()

    await markOverdue(db, [{ connection: 'acme', seconds: 7_200 }])
    t.same(await listed(), [])

    t.same(await mark(), [id])
    await replay(db, id)
    await deliver(db)
    t.same(await listed(), [])
  })

  t.test('walks the ledger slice by slice to its end', async (t) => {
    const ids = [await addDelivered('one', 61), await addDelivered('two', 62), await addDelivered('three', 63)]

    const first = await markOverdue(db, LIMITS, undefined, 2)
    const second = await markOverdue(db, LIMITS, first.nextBeforeSeq, 2)

    t.same(new Set([...first.marked, ...second.marked].map(({ dispatchId }) => dispatchId)), new Set(ids))
    t.equal(second.nextBeforeSeq, undefined)
  })

  t.test('passes over what somebody holds, and finds it the next time', async (t) => {
    const id = await addDelivered('held', 61)

    await db.transaction().execute(async (tx) => {
      await sql`select from dispatches where id = ${id} for update`.execute(tx)
      t.same(await mark(), [])
    })

    t.same(await mark(), [id])
  })
})

t.test('createOverdueWatch', async (t) => {
  t.test('says once that a result is overdue', async (t) => {
    const id = await addDelivered('late', 61)
    const lines: object[] = []
    const logger = createSilentLogger()
    logger.warn = (line: object) => void lines.push(line)
    const watch = createOverdueWatch({ db, logger, limits: async () => LIMITS, guard: async () => true })

    await watch.runOnce()
    await watch.runOnce()

    t.match(lines, [{ event: 'result.overdue', dispatchId: id, activityId: 'late', connection: 'acme' }])
    t.equal(lines.length, 1)
  })
})

t.test('listDispatches', async (t) => {
  t.test('shows what waits for a person', async (t) => {
    const id = await storeDispatch(db, 'parked')
    await settleParked(db, buildAttempt(await claimOne(db)), 'timeout')
    await storeDispatch(db, 'waiting')

    const parked = await listDispatches(db, { isParked: true, limit: 10 })

    t.same(
      parked.map((row) => row.id),
      [id],
    )
  })
})
