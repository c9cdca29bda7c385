import t from 'tap'
import { quarantineBody } from '../../src/store/quarantine-body.ts'
import type { Db } from '../../src/store/database.ts'
import { addConnectionRow, createOpsFixture } from './ops-fixture.ts'

async function quarantine(db: Db, text: string, connection = 'acme'): Promise<string> {
  return quarantineBody(db, {
    connection,
    activityId: 'a1',
    dispatchId: undefined,
    code: 'RCV_BODY_INVALID',
    details: [{ path: '/commerce', message: 'is required' }],
    contentType: 'application/json',
    headers: { 'user-agent': 'reten' },
    body: Buffer.from(text),
  })
}

void t.test('GET /admin/quarantine', async (t) => {
  const { ask, db } = await createOpsFixture(t)
  await addConnectionRow(db)
  const ids: string[] = []
  for (const text of ['{"n":1}', '{"n":2}', '{"n":3}']) ids.push(await quarantine(db, text))
  await quarantine(db, '{"n":4}', 'other')
  const list = async (query: string) => (await ask('viewer', { url: `/admin/quarantine${query}` })).json()
  const idsOf = (page: { data: { id: string }[] }) => page.data.map((row) => row.id)

  await t.test('lists the last received first, page by page, without bodies', async (t) => {
    const first = await list('?connection=acme&limit=2')
    const second = await list(`?connection=acme&limit=2&cursor=${first.meta.next_cursor}`)

    t.same([...idsOf(first), ...idsOf(second)], ids.toReversed())
    t.equal(second.meta.next_cursor, null)
    t.match(first.data[0], {
      connection: 'acme',
      activityId: 'a1',
      code: 'RCV_BODY_INVALID',
      details: [{ path: '/commerce', message: 'is required' }],
      bodyBytes: 7,
      times: 1,
    })
    t.notOk('body' in first.data[0])
  })

  await t.test('counts a body that came again instead of listing it twice', async (t) => {
    await quarantine(db, '{"n":1}')

    const page = await list('?connection=acme')

    t.same(idsOf(page), [ids[0], ids[2], ids[1]])
    t.equal(page.data[0].times, 2)
  })

  await t.test('refuses a cursor of another list', async (t) => {
    const answer = await ask('viewer', { url: `/admin/quarantine?cursor=${Buffer.from('[5]').toString('base64url')}` })

    t.match(answer.json(), { statusCode: 400, code: 'RCV_QUERY_INVALID', details: [{ path: 'cursor' }] })
  })
})

void t.test('GET /admin/quarantine/{id}', async (t) => {
  const { ask, db } = await createOpsFixture(t)
  const id = await quarantine(db, '{"n":1}')

  await t.test('shows the bytes to an operator and not to a viewer', async (t) => {
    const asOperator = (await ask('operator', { url: `/admin/quarantine/${id}` })).json()
    const asViewer = (await ask('viewer', { url: `/admin/quarantine/${id}` })).json()

    t.match(asOperator, { id, body: { text: '{"n":1}', byteLength: 7, headers: { 'user-agent': 'reten' } } })
    t.equal(asViewer.id, id)
    t.notOk('body' in asViewer)
  })

  await t.test('answers 404 for an id that is unknown, or none', async (t) => {
    for (const wrong of ['00000000-0000-8000-8000-000000000000', 'x']) {
      const answer = await ask('viewer', { url: `/admin/quarantine/${wrong}` })

      t.match(answer.json(), { statusCode: 404, code: 'RCV_QUARANTINED_NOT_FOUND' })
    }
  })
})

void t.test('POST /admin/quarantine/:id/replay', async (t) => {
  const { ask, db, catalog, nudges } = await createOpsFixture(t)
  await addConnectionRow(db)
  await catalog.refresh()
  const replay = (id: string, body: object = { reason: 'the mapping is right now' }) =>
    ask('operator', { method: 'POST', url: `/admin/quarantine/${id}/replay`, body })
  const strange = '{"payload":{"ref":"a-7"},"store":{"code":"C-7"}}'

  await t.test('says why a body still cannot be read, and changes nothing', async (t) => {
    const id = await quarantine(db, strange)

    const answer = await replay(id)

    t.match(answer.json(), { statusCode: 409, code: 'RCV_STATE_CONFLICT', details: [{ path: '/activityId' }] })
    t.same(await db.selectFrom('dispatches').select('id').execute(), [])
  })

  await t.test('makes it the dispatch it would have been, once field_paths say how to read it', async (t) => {
    const id = await quarantine(db, strange)
    const settings = { field_paths: { activity_id: '/payload/ref', commerce_external_id: '/store/code' } }
    await ask('admin', { method: 'PATCH', url: '/admin/connections/acme', body: { settings } })

    const answer = await replay(id)
    const again = await replay(id)

    t.match(answer.json(), { status: 'RECEIVED', activityId: 'a-7', isNew: true })
    t.match(again.json(), { status: 'RECEIVED', activityId: 'a-7', isNew: false })
    const rows = await db.selectFrom('dispatches').select(['id', 'activity_id', 'commerce_id', 'state']).execute()
    t.same(rows, [{ id: answer.json().dispatchId, activity_id: 'a-7', commerce_id: 'C-7', state: 'received' }])
    t.ok(nudges.includes('deliver'))
    const shown = (await ask('viewer', { url: `/admin/quarantine/${id}` })).json()
    t.match(shown, { dispatchId: rows[0]?.id, replayedAt: String })
    const [entry] = await db.selectFrom('audit_log').selectAll().where('action', '=', 'quarantine.replayed').execute()
    t.match(entry, { actor: 'otto', reason: 'the mapping is right now', connection: 'acme' })
  })

  await t.test('needs a reason, a body that is there, and the role for it', async (t) => {
    const id = await quarantine(db, strange)

    t.match((await replay(id, {})).json(), { statusCode: 400, details: [{ path: '/reason' }] })
    t.match((await replay(id.replace(/^......../, '00000000'))).json(), { code: 'RCV_QUARANTINED_NOT_FOUND' })
    const viewer = await ask('viewer', { method: 'POST', url: `/admin/quarantine/${id}/replay`, body: { reason: 'x' } })
    t.match(viewer.json(), { code: 'RCV_FORBIDDEN' })
  })
})
