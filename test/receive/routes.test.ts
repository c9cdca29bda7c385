import t from 'tap'
import { computeDispatchId } from '../../src/dispatch/identity.ts'
import { activity } from '../support/activities.ts'
import { KEY } from '../support/connections.ts'
import { exchange, listenOnFreePort, rawPost } from '../support/raw-request.ts'
import { createReceiver } from '../support/receive-app.ts'

void t.test('the answer to a dispatch', async (t) => {
  await t.test('names the dispatch under both names, and the activity as it was sent', async (t) => {
    const { push } = await createReceiver(t)
    const id = computeDispatchId('acme', 'a-1')

    const answer = await push(activity('a-1'))

    t.equal(answer.statusCode, 201)
    t.same(answer.json(), { id, providerActivityId: id, activityId: 'a-1', status: 'RECEIVED' })
    t.match(answer.headers['content-type'], /^application\/json/)
    t.same((await push(activity('a-1'))).json(), answer.json())
  })

  await t.test('carries any id an activity may have', async (t) => {
    const { push } = await createReceiver(t)

    for (const id of ['"\\\u2028', '\u0001', '😀', '<script>', '../..', ' ', '%00', 'a\r\nset-cookie: x']) {
      t.equal((await push(activity(id))).json().activityId, id)
    }
  })
})

void t.test('the route', async (t) => {
  const receiver = await createReceiver(t)
  const port = await listenOnFreePort(receiver.app)

  for (const path of [
    '/activities',
    '/activities/',
    '//activities',
    '//activities//',
    '/activities?a=1&b',
    '/activities/?',
  ]) {
    await t.test(`is found at ${path}`, async (t) => {
      const body = JSON.stringify(activity(path))
      const headers = {
        'x-api-key': KEY,
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        connection: 'close',
      }

      const [answer] = await exchange(port, rawPost(path, headers, body))

      t.match(answer, { status: 201 })
    })
  }

  for (const path of ['/Activities', '/activities/a', '/api/activities', '/']) {
    await t.test(`is not found at ${path}`, async (t) => {
      const headers = { 'x-api-key': KEY, 'content-length': '2', connection: 'close' }

      const [answer] = await exchange(port, rawPost(path, headers, '{}'))

      t.match(answer, { status: 404, body: /RCV_ROUTE_NOT_FOUND/ })
    })
  }

  await t.test('takes a body that comes in pieces', async (t) => {
    const body = JSON.stringify(activity('pieces'))
    const headers = {
      'x-api-key': KEY,
      'content-type': 'application/json',
      'transfer-encoding': 'chunked',
      connection: 'close',
    }
    const pieces = Array.from(body, (character) => `1\r\n${character}\r\n`).join('')

    const [answer] = await exchange(port, rawPost('/activities', headers, `${pieces}0\r\n\r\n`))

    t.match(answer, { status: 201, body: /pieces/ })
  })

  await t.test('keeps headers that help, and none that could hold a credential', async (t) => {
    await receiver.push(activity('headers'), {
      'user-agent': `reten/1 ${'x'.repeat(1_000)}`,
      'x-request-id': 'r-1',
      authorization: 'Bearer secret',
      cookie: 'session=secret',
      'x-anything': 'else',
    })

    const row = await receiver.db
      .selectFrom('dispatch_bodies')
      .select('headers')
      .where('dispatch_id', '=', computeDispatchId('acme', 'headers'))
      .executeTakeFirstOrThrow()
    t.same(Object.keys(row.headers).toSorted(byText), ['content-type', 'user-agent', 'x-request-id'])
    t.equal(row.headers['user-agent']?.length, 500)
  })
})

void t.test('channels', async (t) => {
  await t.test('that are not ours are stored, marked and never delivered', async (t) => {
    const { db, push } = await createReceiver(t, { settings: { channels: ['SALESMAN', 'CALLCENTER'] } })
    const codes: number[] = []

    for (const channel of ['SALESMAN', 'SMS', 'CALLCENTER', 'salesman', undefined]) {
      codes.push((await push(activity(`in ${channel}`, { channel }))).statusCode)
    }

    t.same(codes, [201, 201, 201, 201, 201])
    const rows = await db.selectFrom('dispatches').selectAll().orderBy('seq').execute()
    t.match(rows, [
      { channel: 'SALESMAN', state: 'received' },
      { channel: 'SMS', state: 'discarded', reason_code: 'not_for_us', finished_at: Date },
      { channel: 'CALLCENTER', state: 'received' },
      { channel: 'salesman', state: 'discarded', reason_code: 'not_for_us' },
      { channel: null, state: 'received' },
    ])
    const jobs = await db.selectFrom('jobs').select('dispatch_id').orderBy('id').execute()
    t.same(
      jobs.map((job) => job.dispatch_id),
      rows.filter((row) => row.state === 'received').map((row) => row.id),
    )
    t.equal((await db.selectFrom('dispatch_bodies').selectAll().execute()).length, 5)
  })

  await t.test('are all ours where the connection names none', async (t) => {
    const { db, push } = await createReceiver(t)

    await push(activity('a', { channel: 'CARRIER_PIGEON' }))

    t.match(await db.selectFrom('dispatches').selectAll().execute(), [{ channel: 'CARRIER_PIGEON', state: 'received' }])
  })
})

void t.test('what is read of a body', async (t) => {
  await t.test('stands in the ledger', async (t) => {
    const { db, push } = await createReceiver(t)

    await push({
      activity_id: 'a',
      type: 'MESSAGE',
      channel: 'SMS',
      scheduled_at: '2026-05-04T10:00:00-03:00',
      commerceAssignment: { commerce: { external_id: 'C-7' } },
      taskDetails: { assignedOperator: { externalId: 'V-9' } },
    })

    t.match(await db.selectFrom('dispatches').selectAll().execute(), [
      {
        connection: 'acme',
        activity_id: 'a',
        type: 'MESSAGE',
        channel: 'SMS',
        commerce_id: 'C-7',
        operator_id: 'V-9',
        scheduled_at: new Date('2026-05-04T13:00:00Z'),
        origin: 'pushed',
      },
    ])
  })

  await t.test('is repaired by the field_paths of the connection, without touching the bytes', async (t) => {
    const { db, push } = await createReceiver(t, {
      settings: { field_paths: { activity_id: '/payload/ref', commerce_external_id: '/payload/store~1code' } },
    })
    const body = JSON.stringify({ id: 'not this', payload: { ref: 'a', 'store/code': 'C-1' } })

    const answer = await push(body)

    t.match(answer.json(), { activityId: 'a', status: 'RECEIVED' })
    t.match(await db.selectFrom('dispatches').selectAll().execute(), [{ activity_id: 'a', commerce_id: 'C-1' }])
    t.equal((await db.selectFrom('dispatch_bodies').select('body').executeTakeFirstOrThrow()).body.toString(), body)
  })

  await t.test('is repaired as soon as the settings of a running service change', async (t) => {
    const { db, catalog, push } = await createReceiver(t)
    const body = { id: 'a', store: 'C-1' }
    t.equal((await push(body)).statusCode, 202)
    const settings = JSON.stringify({ field_paths: { commerce_external_id: '/store' } })
    await db.updateTable('connections').set({ settings }).execute()

    await catalog.refresh()

    t.equal((await push(body)).statusCode, 201)
  })
})

void t.test('a dispatch', async (t) => {
  await t.test('leaves one wide line in the log, and nothing of its body', async (t) => {
    const { log, push } = await createReceiver(t)

    await push(activity('a', { comment: 'private' }))
    await push(activity('a', { comment: 'private' }))
    await push(activity('a', { comment: 'private too' }))
    await push({ id: 'b', commerceName: 'private' })
    await push('private')

    const id = computeDispatchId('acme', 'a')
    const line = { connection: 'acme', durationMs: Number, requestId: String }
    t.match(
      log.filter((written) => /^(dispatch|request)\./.test(String(written['event']))),
      [
        { event: 'dispatch.received', level: 'info', dispatchId: id, activityId: 'a', ...line },
        { event: 'dispatch.duplicate', level: 'info', dispatchId: id, kind: 'same', ...line },
        { event: 'dispatch.duplicate', level: 'warn', dispatchId: id, kind: 'conflict', ...line },
        { event: 'dispatch.quarantined', level: 'warn', activityId: 'b', code: 'RCV_BODY_INVALID', ...line },
        {
          event: 'request.refused',
          level: 'warn',
          cause: 'RCV_BODY_NOT_JSON',
          connection: 'acme',
          route: '/activities',
        },
      ],
    )
    t.notMatch(JSON.stringify(log), /private|Almacen/)
    t.notOk(JSON.stringify(log).includes(KEY))
  })

  await t.test('is counted by what became of it', async (t) => {
    const { metrics, push } = await createReceiver(t)

    await push(activity('a'))
    await push(activity('a'))
    await push(activity('a', { score: 1 }))
    await push({ id: 'b' })
    await push('{')

    const text = await metrics.expose()
    const expected = [
      'requests_total{route="/activities",outcome="created",cause="none"} 1',
      'requests_total{route="/activities",outcome="repeated",cause="none"} 2',
      'requests_total{route="/activities",outcome="quarantined",cause="RCV_BODY_INVALID"} 1',
      'requests_total{route="/activities",outcome="refused",cause="RCV_BODY_NOT_JSON"} 1',
      'duplicates_total{kind="same"} 1',
      'duplicates_total{kind="conflict"} 1',
      'quarantined_total{connection="acme",code="RCV_BODY_INVALID"} 1',
      'quarantined_total{connection="acme",code="RCV_BODY_NOT_JSON"} 1',
      'ingest_duration_seconds_count 4',
    ]
    for (const line of expected) t.ok(text.includes(`reten_receiver_${line}\n`), line)
  })
})

function byText(one: string, other: string): number {
  return one < other ? -1 : 1
}
