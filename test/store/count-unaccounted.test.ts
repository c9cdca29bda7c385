import { randomUUID } from 'node:crypto'
import t from 'tap'
import { countAllUnaccounted, countUnaccounted } from '../../src/store/count-unaccounted.ts'
import { addConnectionRow, failDispatch, openTestDb, storeDispatch } from '../ops/ops-fixture.ts'

void t.test('countUnaccounted', async (t) => {
  const { db } = await openTestDb(t)
  await addConnectionRow(db)

  await t.test('finds nothing wrong in an empty ledger', async (t) => {
    t.same(await countUnaccounted(db), { unaccounted: 0, nextBeforeSeq: undefined })
  })

  await t.test('walks the whole ledger slice by slice and finds each row once', async (t) => {
    for (const activity of ['a1', 'a2', 'a3', 'a4', 'a5']) await storeDispatch(db, activity)
    await db.deleteFrom('jobs').where('seq', 'in', [1, 4]).execute()

    const found: number[] = []
    let beforeSeq: number | undefined
    do {
      const slice = await countUnaccounted(db, beforeSeq, 2)
      found.push(slice.unaccounted)
      beforeSeq = slice.nextBeforeSeq
    } while (beforeSeq !== undefined)

    t.same(found, [1, 0, 1])
  })

  await t.test('finds a pending result that nobody will report, and no other result', async (t) => {
    const { db } = await openTestDb(t)
    const id = await storeDispatch(db, 'b1')
    await failDispatch(db, id)
    const result = { dispatch_id: id, connection: 'acme', source: 'webhook', occurred_at: new Date() } as const
    const settled = { state: 'reported', settled_at: new Date() } as const
    await db
      .insertInto('results')
      .values({ ...result, ...settled, status: 'PENDING', code: 'SCHEDULED' })
      .execute()
    t.equal((await countUnaccounted(db)).unaccounted, 0)

    await db
      .insertInto('results')
      .values({ ...result, status: 'EFFECTIVE', code: 'SALE' })
      .execute()
    t.equal((await countUnaccounted(db)).unaccounted, 1)
  })

  await t.test('finds each kind of row that nothing carries on, in one go', async (t) => {
    const { db } = await openTestDb(t)
    for (const activity of ['c1', 'c2', 'c3', 'c4']) await storeDispatch(db, activity)
    t.equal(await countAllUnaccounted(db), 0)
    const [, , reported] = await db.selectFrom('dispatches').selectAll().orderBy('seq').execute()
    if (reported === undefined) throw new Error('nothing was stored')
    const { connection, commerce_id, seq } = reported

    await db.deleteFrom('jobs').where('seq', '=', 1).execute()
    t.equal(await countAllUnaccounted(db), 1, 'a received dispatch without a job')
    await db.deleteFrom('dispatches').where('seq', '=', 2).execute()
    t.equal(await countAllUnaccounted(db), 2, 'a job without a dispatch')
    const result = { dispatch_id: reported.id, connection, source: 'webhook', occurred_at: new Date() } as const
    await db
      .insertInto('results')
      .values({ ...result, status: 'EFFECTIVE', code: 'SALE' })
      .execute()
    t.equal(await countAllUnaccounted(db), 3, 'a pending result without a job')
    await db
      .insertInto('jobs')
      .values({ kind: 'report', connection, dispatch_id: reported.id, commerce_id, seq, result_id: randomUUID() })
      .execute()
    t.equal(await countAllUnaccounted(db), 4, 'a job without a result')
  })
})
