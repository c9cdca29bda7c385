import { hash } from 'node:crypto'
import t from 'tap'
import type { Db } from '../../src/store/database.ts'
import { quarantineBody } from '../../src/store/quarantine-body.ts'
import type { UnreadableBody } from '../../src/store/quarantine-body.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

function unreadable(overrides: Partial<UnreadableBody> = {}): UnreadableBody {
  return {
    connection: 'acme',
    activityId: undefined,
    dispatchId: undefined,
    code: 'RCV_BODY_NOT_JSON',
    details: [{ path: '', message: 'body is not JSON' }],
    contentType: 'application/json',
    headers: { 'user-agent': 'reten' },
    body: Buffer.from('{"id":'),
    ...overrides,
  }
}

const rows = (db: Db) => db.selectFrom('quarantine').selectAll().orderBy('first_received_at').execute()

void t.test('quarantineBody', async (t) => {
  await t.test('keeps a body byte for byte with the reason', async (t) => {
    const { db } = await openTestDatabase(t)
    const body = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

    const id = await quarantineBody(db, unreadable({ body, contentType: undefined }))

    const [row] = await rows(db)
    t.match(row, {
      id,
      connection: 'acme',
      activity_id: null,
      dispatch_id: null,
      code: 'RCV_BODY_NOT_JSON',
      details: [{ path: '', message: 'body is not JSON' }],
      content_type: null,
      headers: { 'user-agent': 'reten' },
      times: 1,
      replayed_at: null,
    })
    t.ok(row?.body.equals(body))
    t.equal(row?.sha256.toString('hex'), hash('sha256', body, 'hex'))
  })

  await t.test('keeps the same body of a connection once and counts it', async (t) => {
    const { db } = await openTestDatabase(t)

    const ids = await Promise.all(Array.from({ length: 5 }, () => quarantineBody(db, unreadable())))
    const elsewhere = await quarantineBody(db, unreadable({ connection: 'other' }))

    t.equal(new Set(ids).size, 1)
    t.not(elsewhere, ids[0])
    t.match(await rows(db), [
      { connection: 'acme', times: 5 },
      { connection: 'other', times: 1 },
    ])
  })

  await t.test('shows the latest reading of a body, and keeps what was once known of it', async (t) => {
    const { db } = await openTestDatabase(t)
    await quarantineBody(db, unreadable({ contentType: 'text/plain', code: 'RCV_CONTENT_TYPE' }))
    const latest = unreadable({
      activityId: 'a-1',
      dispatchId: '47bc739e-9a66-8021-9c4e-2fd1d15bc86f',
      code: 'RCV_BODY_INVALID',
      details: [{ path: '/commerceExternalId', message: 'is required' }],
      headers: { 'content-type': 'application/json' },
    })

    await quarantineBody(db, latest)

    t.match(await rows(db), [
      {
        activity_id: 'a-1',
        dispatch_id: latest.dispatchId,
        code: 'RCV_BODY_INVALID',
        details: latest.details,
        content_type: 'application/json',
        headers: latest.headers,
        times: 2,
      },
    ])
    await quarantineBody(db, unreadable())
    t.match(await rows(db), [
      { activity_id: 'a-1', dispatch_id: latest.dispatchId, code: 'RCV_BODY_NOT_JSON', times: 3 },
    ])
    const [row] = await rows(db)
    t.ok(row !== undefined && row.last_received_at > row.first_received_at)
  })

  await t.test('takes any text a request can bring', async (t) => {
    const { db } = await openTestDatabase(t)
    const odd = '\u0001 \\u0000 "\\ \u00ff \u2028'

    await quarantineBody(
      db,
      unreadable({ contentType: odd, headers: { 'user-agent': odd }, details: [{ path: `/${odd}`, message: odd }] }),
    )

    t.match(await rows(db), [
      { content_type: odd, headers: { 'user-agent': odd }, details: [{ path: `/${odd}`, message: odd }] },
    ])
  })
})
