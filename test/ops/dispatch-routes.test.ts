import t from 'tap'
import { addConnectionRow, createOpsFixture, failDispatch, storeDispatch } from './ops-fixture.ts'

void t.test('GET /admin/dispatches', async (t) => {
  const { ask, db } = await createOpsFixture(t)
  await addConnectionRow(db, 'acme')
  await addConnectionRow(db, 'other')
  const ids: string[] = []
  for (const activity of ['a1', 'a2', 'a3', 'a4', 'a5']) ids.push(await storeDispatch(db, activity))
  const elsewhere = await storeDispatch(db, 'b1', { connection: 'other', isForUs: false })
  const list = async (query: string) => (await ask('viewer', { url: `/admin/dispatches${query}` })).json()
  const idsOf = (page: { data: { id: string }[] }) => page.data.map((row) => row.id)

  await t.test('lists the newest first, in the words of the public answers', async (t) => {
    const page = await list('')

    t.same(idsOf(page), [elsewhere, ...ids.toReversed()])
    t.same(page.meta, { limit: 50, next_cursor: null })
    t.match(page.data[1], {
      id: ids[4],
      activityId: 'a5',
      connection: 'acme',
      type: 'TASK',
      channel: 'CALL',
      commerceId: 'store-1',
      operatorId: null,
      state: 'received',
      origin: 'pushed',
      revision: 0,
      idempotencyKey: ids[4],
      repeats: 0,
      changedBodies: 0,
      deliveredAt: null,
      delivery: { phase: 'waiting', attempts: 0, parkedReason: null },
    })
    t.equal(page.data[0].delivery, null)
  })

  await t.test('pages by cursor without showing a row twice while new ones arrive', async (t) => {
    const first = await list('?limit=2&connection=acme')
    await storeDispatch(db, 'a6')
    const second = await list(`?limit=2&connection=acme&cursor=${first.meta.next_cursor}`)
    const third = await list(`?limit=2&connection=acme&cursor=${second.meta.next_cursor}`)

    t.same(idsOf(first), [ids[4], ids[3]])
    t.same(idsOf(second), [ids[2], ids[1]])
    t.same(idsOf(third), [ids[0]])
    t.equal(third.meta.next_cursor, null)
  })

  await t.test('filters by state and by connection', async (t) => {
    t.same(idsOf(await list('?state=discarded')), [elsewhere])
    t.same(idsOf(await list('?connection=other')), [elsewhere])
    t.same(idsOf(await list('?connection=other&state=received')), [])
  })

  await t.test('tells parked, retrying and in flight from the job', async (t) => {
    await db.updateTable('jobs').set({ parked_reason: 'fate unknown' }).where('dispatch_id', '=', `${ids[0]}`).execute()
    await db.updateTable('jobs').set({ attempts: 2 }).where('dispatch_id', '=', `${ids[1]}`).execute()
    await db
      .updateTable('jobs')
      .set({ leased_until: new Date(), claimed_by: 'w1' })
      .where('dispatch_id', '=', `${ids[2]}`)
      .execute()

    const { data } = await list('?connection=acme')
    const phases = new Map(data.map((row: { id: string; delivery: { phase: string } }) => [row.id, row.delivery.phase]))

    t.equal(phases.get(ids[0]), 'parked')
    t.equal(phases.get(ids[1]), 'retrying')
    t.equal(phases.get(ids[2]), 'in_flight')
  })

  await t.test('filters by what is parked and by what is overdue', async (t) => {
    await db
      .updateTable('dispatches')
      .set({ state: 'delivered', delivered_at: new Date(), overdue_at: new Date() })
      .where('id', '=', `${ids[4]}`)
      .execute()

    t.same(idsOf(await list('?parked=true')), [ids[0]])
    t.same(idsOf(await list('?overdue=true')), [ids[4]])
    t.same(idsOf(await list('?overdue=true&connection=other')), [])
  })

  for (const [query, parameter] of [
    ['?limit=0', 'limit'],
    ['?limit=201', 'limit'],
    ['?limit=ten', 'limit'],
    ['?limit=', 'limit'],
    ['?limit=1&limit=2', 'limit'],
    ['?state=lost', 'state'],
    ['?overdue=yes', 'overdue'],
    ['?parked=', 'parked'],
    ['?connection=nobody', 'connection'],
    ['?cursor=nonsense', 'cursor'],
    ['?cursor=WyJhIl0', 'cursor'],
    ['?colour=red', 'colour'],
  ]) {
    await t.test(`refuses ${query} and names the parameter`, async (t) => {
      const answer = await ask('viewer', { url: `/admin/dispatches${query}` })

      t.equal(answer.statusCode, 400)
      t.match(answer.json(), { code: 'RCV_QUERY_INVALID', details: [{ path: parameter }] })
      t.ok(answer.json().message.startsWith(`${parameter} `), answer.json().message)
    })
  }
})

void t.test('GET /admin/dispatches/{id}', async (t) => {
  const { ask, db } = await createOpsFixture(t)
  await addConnectionRow(db)
  const id = await storeDispatch(db, 'a1')
  await failDispatch(db, id)

  await t.test('shows an operator everything, what went over the wire included', async (t) => {
    const shown = (await ask('operator', { url: `/admin/dispatches/${id}` })).json()

    t.match(shown, {
      id,
      state: 'failed',
      reasonCode: 'http_422',
      jobs: [],
      results: [],
      audit: [],
      attempts: [{ outcome: 'rejected', httpStatus: 422, request: /POST \/tasks/, response: /no such commerce/ }],
      body: { text: '{"id":"a1"}', byteLength: 11, headers: { 'content-type': 'application/json' } },
      otherBodies: [],
    })
  })

  await t.test('shows a viewer no bodies and nothing of what went over the wire', async (t) => {
    const answer = await ask('viewer', { url: `/admin/dispatches/${id}` })

    t.equal(answer.json().attempts[0].errorMessage, 'no such commerce')
    t.notOk('body' in answer.json())
    t.notOk('request' in answer.json().attempts[0])
    t.notMatch(answer.body, /content-type|POST \/tasks/)
  })

  await t.test('shows bytes that are not UTF-8 as base64, unharmed', async (t) => {
    const bytes = Buffer.from([0x7b, 0xff, 0x00, 0x7d])
    const odd = await storeDispatch(db, 'odd', { body: bytes })

    const { body } = (await ask('operator', { url: `/admin/dispatches/${odd}` })).json()

    t.notOk('text' in body)
    t.same(Buffer.from(body.base64, 'base64'), bytes)
  })

  await t.test('says that a body is gone', async (t) => {
    const old = await storeDispatch(db, 'old')
    await db.deleteFrom('dispatch_bodies').where('dispatch_id', '=', old).execute()

    t.equal((await ask('operator', { url: `/admin/dispatches/${old}` })).json().body, null)
  })

  await t.test('answers 404 for an id that is unknown, or none', async (t) => {
    for (const wrong of ['00000000-0000-8000-8000-000000000000', 'a1']) {
      const answer = await ask('viewer', { url: `/admin/dispatches/${wrong}` })

      t.equal(answer.statusCode, 404)
      t.equal(answer.json().code, 'RCV_DISPATCH_NOT_FOUND')
    }
  })
})

void t.test('POST /admin/dispatches/{id}/replay', async (t) => {
  const { ask, db, nudges } = await createOpsFixture(t)
  await addConnectionRow(db)
  const replay = (id: string, body: object) =>
    ask('operator', { method: 'POST', url: `/admin/dispatches/${id}/replay`, body })
  const stateOf = async (id: string) => (await ask('viewer', { url: `/admin/dispatches/${id}` })).json().state

  await t.test('makes a failed dispatch due at once under the same key, and writes down who and why', async (t) => {
    const id = await storeDispatch(db, 'a1')
    await failDispatch(db, id)

    const answer = await replay(id, { reason: 'provider fixed its catalogue' })

    t.equal(answer.statusCode, 202)
    t.match(answer.json(), {
      id,
      activityId: 'a1',
      stateBefore: 'failed',
      stateAfter: 'received',
      idempotencyKey: id,
      isSameKey: true,
      isDryRun: false,
      job: 'created',
    })
    t.same(nudges, ['deliver'])
    const shown = (await ask('viewer', { url: `/admin/dispatches/${id}` })).json()
    t.match(shown, { state: 'received', reasonCode: null, finishedAt: null, jobs: [{ kind: 'deliver', attempts: 0 }] })
    t.match(shown.audit, [{ action: 'dispatch.replayed', actor: 'otto', reason: 'provider fixed its catalogue' }])
    t.match(shown.audit[0].requestId, /^[0-9a-f-]{36}$/)
  })

  await t.test('only says what would happen in a dry run', async (t) => {
    const id = await storeDispatch(db, 'a2')
    await failDispatch(db, id)
    nudges.length = 0

    const answer = await replay(id, { reason: 'looking', dry_run: true })

    t.equal(answer.statusCode, 200)
    t.match(answer.json(), { isDryRun: true, stateBefore: 'failed', stateAfter: 'received' })
    t.equal(await stateOf(id), 'failed')
    t.same(nudges, [])
  })

  await t.test('never takes a dispatch away from the worker that has it', async (t) => {
    const id = await storeDispatch(db, 'a3')
    const lease = { leased_until: new Date(Date.now() + 60_000), claimed_by: 'w1' }
    await db.updateTable('jobs').set(lease).where('dispatch_id', '=', id).execute()

    const answer = await replay(id, { reason: 'impatient' })

    t.equal(answer.statusCode, 409)
    t.match(answer.json(), { code: 'RCV_STATE_CONFLICT', message: /being delivered at this moment/ })
  })

  await t.test('refuses what has no body left, and what belongs to an archived connection', async (t) => {
    const bodyless = await storeDispatch(db, 'a4')
    await db.deleteFrom('dispatch_bodies').where('dispatch_id', '=', bodyless).execute()
    await addConnectionRow(db, 'gone', { state: 'archived' })
    const orphan = await storeDispatch(db, 'b1', { connection: 'gone' })

    t.match((await replay(bodyless, { reason: 'why' })).json(), { statusCode: 409, message: /no longer kept/ })
    t.match((await replay(orphan, { reason: 'why' })).json(), { statusCode: 409, message: /archived/ })
  })

  await t.test('answers 404 for an id that is unknown, or none', async (t) => {
    t.equal((await replay('00000000-0000-8000-8000-000000000000', { reason: 'why' })).statusCode, 404)
    t.equal((await replay('a1', { reason: 'why' })).json().code, 'RCV_DISPATCH_NOT_FOUND')
  })

  for (const [name, body, path] of [
    ['no reason', {}, '/reason'],
    ['an empty reason', { reason: '' }, '/reason'],
    ['a blank reason', { reason: '  ' }, '/reason'],
    ['an endless reason', { reason: 'x'.repeat(501) }, '/reason'],
    ['a dry_run that is no boolean', { reason: 'why', dry_run: 'true' }, '/dry_run'],
    ['a field nobody knows', { reason: 'why', dryRun: true }, '/dryRun'],
  ] as const) {
    await t.test(`refuses ${name} and names the field`, async (t) => {
      const answer = await replay('00000000-0000-8000-8000-000000000000', body)

      t.equal(answer.statusCode, 400)
      t.match(answer.json(), { code: 'RCV_REQUEST_INVALID', details: [{ path }] })
    })
  }
})
