import t from 'tap'
import { loadDeliveries } from '../../src/store/load-deliveries.ts'
import { openLedger, recordEvent, redeliver, storeDispatch } from '../support/ledger.ts'

const { db } = await openLedger(t)

t.test('loadDeliveries', async (t) => {
  t.test('answers each dispatch with the bytes that came', async (t) => {
    const bytes = Buffer.from('{"id":"A-1",  "note":"Peñalolén\\u0000"}')
    const first = await storeDispatch(db, 'A-1', { body: bytes })
    const second = await storeDispatch(db, 'A-2')

    const deliveries = await loadDeliveries(db, [first, second])

    t.match(deliveries.get(first), {
      dispatchId: first,
      activityId: 'A-1',
      type: 'TASK',
      revision: 0,
      state: 'received',
    })
    t.strictSame(deliveries.get(first)?.body, bytes)
    t.equal(deliveries.size, 2)
  })

  t.test('answers the body that is current', async (t) => {
    const id = await storeDispatch(db)
    await redeliver(db, 'A-1', 'second')
    await redeliver(db, 'A-1', 'third')

    const delivery = (await loadDeliveries(db, [id])).get(id)

    t.equal(delivery?.revision, 2)
    t.match(String(delivery?.body), /"third"/)
  })

  t.test('says in which state a dispatch is by now', async (t) => {
    const id = await storeDispatch(db)
    await recordEvent(db, id)

    t.match((await loadDeliveries(db, [id])).get(id), { state: 'delivered' })
  })

  t.test('leaves out a dispatch whose body is gone', async (t) => {
    const id = await storeDispatch(db)
    await db.deleteFrom('dispatch_bodies').execute()

    t.equal((await loadDeliveries(db, [id])).size, 0)
  })
})
