import t from 'tap'
import { addConnectionRow, createOpsFixture, failDispatch, storeDispatch } from './ops-fixture.ts'

void t.test('POST /admin/dispatches/{id}/release', async (t) => {
  const { ask, db, nudges } = await createOpsFixture(t)
  await addConnectionRow(db)
  const release = (id: string, body: object) =>
    ask('operator', { method: 'POST', url: `/admin/dispatches/${id}/release`, body })
  const park = async (activityId: string) => {
    const id = await storeDispatch(db, activityId)
    const change = { parked_reason: 'fate_unknown', is_fate_unknown: true }
    await db.updateTable('jobs').set(change).where('dispatch_id', '=', id).execute()
    return id
  }
  const show = async (id: string) => (await ask('viewer', { url: `/admin/dispatches/${id}` })).json()

  await t.test('repeats a parked delivery at once, and writes down who and why', async (t) => {
    const id = await park('a1')

    const answer = await release(id, { action: 'repeat', reason: 'YOM has no such task' })

    t.equal(answer.statusCode, 202)
    t.match(answer.json(), {
      id,
      activityId: 'a1',
      action: 'repeat',
      parkedReason: 'fate_unknown',
      providerTaskId: null,
    })
    t.same(nudges, ['deliver'])
    t.match(await show(id), {
      state: 'received',
      delivery: { phase: 'waiting', parkedReason: null },
      audit: [{ action: 'dispatch.released', actor: 'otto', reason: 'YOM has no such task' }],
    })
  })

  await t.test("takes it for delivered with the provider's id", async (t) => {
    const id = await park('a2')

    const answer = await release(id, { action: 'delivered', provider_task_id: 'T-1', reason: 'seen at YOM' })

    t.equal(answer.statusCode, 200)
    t.match(await show(id), { state: 'delivered', providerTaskId: 'T-1', delivery: null })
  })

  await t.test('refuses what is not parked with a code, and says what it is', async (t) => {
    const id = await storeDispatch(db, 'a3')

    const answer = await release(id, { action: 'repeat', reason: 'impatient' })

    t.equal(answer.statusCode, 409)
    t.match(answer.json(), { code: 'RCV_NOT_PARKED', message: /is received, and its delivery waits for its first try/ })
  })

  await t.test('refuses to repeat for an archived connection', async (t) => {
    const id = await park('a4')
    await db.updateTable('connections').set({ state: 'archived' }).execute()
    t.teardown(() => db.updateTable('connections').set({ state: 'active' }).execute())

    t.match((await release(id, { action: 'repeat', reason: 'why' })).json(), { statusCode: 409, message: /archived/ })
  })

  await t.test('answers 404 for an id that is unknown, or none', async (t) => {
    for (const id of ['00000000-0000-8000-8000-000000000000', 'a1']) {
      t.match((await release(id, { action: 'repeat', reason: 'why' })).json(), { code: 'RCV_DISPATCH_NOT_FOUND' })
    }
  })

  await t.test('takes an operator', async (t) => {
    const body = { action: 'repeat', reason: 'why' }
    t.equal((await ask('viewer', { method: 'POST', url: '/admin/dispatches/x/release', body })).statusCode, 403)
  })

  for (const [name, body, path] of [
    ['no reason', { action: 'repeat' }, '/reason'],
    ['a blank reason', { action: 'repeat', reason: ' ' }, '/reason'],
    ['no action', { reason: 'why' }, '/action'],
    ['an unknown action', { action: 'forget', reason: 'why' }, '/action'],
    ["a task's id beside repeat", { action: 'repeat', reason: 'why', provider_task_id: 'T-1' }, '/provider_task_id'],
    ['an endless id', { action: 'delivered', reason: 'why', provider_task_id: 'x'.repeat(201) }, '/provider_task_id'],
  ] as const) {
    await t.test(`refuses ${name} and names the field`, async (t) => {
      const answer = await release('00000000-0000-8000-8000-000000000000', body)

      t.equal(answer.statusCode, 400)
      t.match(answer.json(), { code: 'RCV_REQUEST_INVALID', details: [{ path }] })
    })
  }
})

void t.test('POST /admin/dispatches/{id}/discard', async (t) => {
  const { ask, db, nudges } = await createOpsFixture(t)
  await addConnectionRow(db)
  const discard = (id: string, body: object = { reason: 'the store has closed' }) =>
    ask('operator', { method: 'POST', url: `/admin/dispatches/${id}/discard`, body })

  await t.test('takes a failed dispatch out for good, and keeps why it failed', async (t) => {
    const id = await storeDispatch(db, 'a1')
    await failDispatch(db, id)

    const answer = await discard(id)

    t.equal(answer.statusCode, 200)
    t.match(answer.json(), { id, activityId: 'a1', connection: 'acme', state: 'discarded', reasonCode: 'http_422' })
    t.same(nudges, ['deliver'], 'what waited behind it may go on')
    t.match((await ask('viewer', { url: `/admin/dispatches/${id}` })).json(), {
      state: 'discarded',
      reasonCode: 'http_422',
      audit: [{ action: 'dispatch.discarded', actor: 'otto', reason: 'the store has closed' }],
    })
  })

  await t.test('refuses one that did not fail, the second time too', async (t) => {
    const id = await storeDispatch(db, 'a2')
    t.match((await discard(id)).json(), { statusCode: 409, code: 'RCV_NOT_FAILED', message: /is received/ })

    await failDispatch(db, id)
    t.equal((await discard(id)).statusCode, 200)
    t.match((await discard(id)).json(), { statusCode: 409, code: 'RCV_NOT_FAILED', message: /is discarded/ })
  })

  await t.test('answers 404 for an id that is unknown, or none', async (t) => {
    for (const id of ['00000000-0000-8000-8000-000000000000', 'a1']) {
      t.match((await discard(id)).json(), { code: 'RCV_DISPATCH_NOT_FOUND' })
    }
  })

  await t.test('takes an operator and a reason', async (t) => {
    const url = '/admin/dispatches/x/discard'
    t.equal((await ask('viewer', { method: 'POST', url, body: { reason: 'why' } })).statusCode, 403)
    t.match((await discard('x', {})).json(), { code: 'RCV_REQUEST_INVALID', details: [{ path: '/reason' }] })
  })
})
