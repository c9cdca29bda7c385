import t from 'tap'
import { addConnectionRow, createOpsFixture, failDispatch, storeDispatch } from './ops-fixture.ts'

void t.test('POST /admin/dispatches/{id}/cancel', async (t) => {
  const { ask, db, nudges } = await createOpsFixture(t)
  await addConnectionRow(db)
  const cancel = (id: string, body: object = { reason: 'the store has closed' }) =>
    ask('operator', { method: 'POST', url: `/admin/dispatches/${id}/cancel`, body })
  const show = async (id: string) => (await ask('viewer', { url: `/admin/dispatches/${id}` })).json()

  await t.test('stops what was not delivered, and writes down who and why', async (t) => {
    const id = await storeDispatch(db, 'a1')

    const answer = await cancel(id)

    t.equal(answer.statusCode, 200)
    t.match(answer.json(), { id, activityId: 'a1', step: 'stopped', state: 'canceled', cancellation: null })
    t.same(nudges, ['cancel', 'deliver'])
    const shown = await show(id)
    t.match(shown, { state: 'canceled', cancellation: null, jobs: [] })
    t.match(shown.audit, [{ action: 'dispatch.canceled', actor: 'otto', reason: 'the store has closed' }])
    t.match(shown.audit[0].detail, { source: 'operator' })
    t.match(shown.audit[0].requestId, /^[0-9a-f-]{36}$/)
  })

  await t.test('has the provider asked to cancel what was delivered, once', async (t) => {
    const id = await storeDispatch(db, 'a2')
    await db.deleteFrom('jobs').where('dispatch_id', '=', id).execute()
    const delivered = { state: 'delivered', delivered_at: new Date() } as const
    await db.updateTable('dispatches').set(delivered).where('id', '=', id).execute()
    nudges.length = 0

    for (const step of ['asking', 'unchanged']) {
      const answer = await cancel(id)

      t.equal(answer.statusCode, 202)
      t.match(answer.json(), { step, state: 'delivered', cancellation: 'requested' })
    }

    t.match(await show(id), {
      state: 'delivered',
      cancellation: 'requested',
      jobs: [{ kind: 'cancel' }],
      audit: { length: 1 },
    })
    t.same(nudges, ['cancel', 'deliver'], 'the second one changed nothing')
  })

  await t.test('refuses what has ended with a code, and says how', async (t) => {
    const id = await storeDispatch(db, 'a3')
    await failDispatch(db, id)
    for (const state of ['failed', 'completed', 'discarded'] as const) {
      await db.updateTable('dispatches').set({ state }).where('id', '=', id).execute()

      const answer = await cancel(id)

      t.equal(answer.statusCode, 409)
      t.match(answer.json(), { code: 'RCV_NOT_CANCELABLE', message: new RegExp(`it is ${state}`) })
    }
  })

  await t.test(
    'refuses what an archived connection would have to be asked for, and stops what needs no asking',
    async (t) => {
      const asked = await storeDispatch(db, 'a4')
      await db.updateTable('jobs').set({ is_fate_unknown: true }).where('dispatch_id', '=', asked).execute()
      const underWay = await storeDispatch(db, 'a5')
      await db
        .updateTable('jobs')
        .set({ leased_until: new Date(Date.now() + 60_000), claimed_by: 'w' })
        .where('dispatch_id', '=', underWay)
        .execute()
      const untouched = await storeDispatch(db, 'a6')
      await db.updateTable('connections').set({ state: 'archived' }).execute()

      for (const id of [asked, underWay]) {
        const answer = await cancel(id)

        t.equal(answer.statusCode, 409)
        t.match(answer.json(), { code: 'RCV_STATE_CONFLICT', message: /archived/ })
        t.match(await show(id), { state: 'received', cancellation: null, audit: { length: 0 } })
      }
      t.match((await cancel(untouched)).json(), { step: 'stopped', state: 'canceled' })
      await db.updateTable('connections').set({ state: 'active' }).execute()
    },
  )

  await t.test('answers 404 for an id that is unknown, or none', async (t) => {
    for (const id of ['00000000-0000-8000-8000-000000000000', 'a1']) {
      t.match((await cancel(id)).json(), { code: 'RCV_DISPATCH_NOT_FOUND' })
    }
  })

  await t.test('takes an operator and a reason', async (t) => {
    const url = '/admin/dispatches/x/cancel'
    t.equal((await ask('viewer', { method: 'POST', url, body: { reason: 'why' } })).statusCode, 403)
    t.match((await cancel('x', {})).json(), { code: 'RCV_REQUEST_INVALID', details: [{ path: '/reason' }] })
  })
})
