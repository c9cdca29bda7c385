// Whatever bytes come with a good key: stored exactly, or refused clearly and kept; never a fault of ours.
import { gzipSync } from 'node:zlib'
import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { LightMyRequestResponse } from 'fastify'
import { createAjv, readSchema } from '../../src/schemas.ts'
import { activity } from '../support/activities.ts'
import { KEY } from '../support/connections.ts'
import { exchange, listenOnFreePort, rawPost } from '../support/raw-request.ts'
import { createReceiver } from '../support/receive-app.ts'
import type { Receiver } from '../support/receive-app.ts'

const ajv = createAjv()
const isError = ajv.compile(readSchema('error'))
const isAnswer = ajv.compile(readSchema('dispatch-answer'))

/** Where the bytes of a push are kept: `stored`, `quarantine`, both, or nowhere; more than one row is told too. */
async function whereKept({ db }: Receiver, bytes: Buffer): Promise<string> {
  const stored = await db.selectFrom('dispatch_bodies').select('body').where('body', '=', bytes).execute()
  const kept = await db.selectFrom('quarantine').select('body').where('body', '=', bytes).execute()
  const places = [...stored.map(() => 'stored'), ...kept.map(() => 'quarantine')]
  return places.length === 0 ? 'nowhere' : places.join(' and ')
}

function shapeOf(answer: LightMyRequestResponse): boolean {
  return answer.statusCode < 300 ? isAnswer(answer.json()) : isError(answer.json())
}

const text = (id: string, more: string): string => `{"id":"${id}","commerceExternalId":"C-1"${more}}`
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
const exactly = (bytes: number, id: string): string =>
  text(id, `,"pad":"${'x'.repeat(bytes - text(id, ',"pad":""').length)}"`)

void t.test('a body that can be stored', async (t) => {
  const receiver = await createReceiver(t)
  const bodies: Readonly<Record<string, string | Buffer>> = {
    'of a plain activity': JSON.stringify(activity('plain')),
    'with spaces, line breaks and keys in another order': ' \r\n{ "commerceExternalId" : "C-1",\t"id":"spaced" }\n',
    'with a byte order mark': `\ufeff${text('bom', '')}`,
    'with U+0000 outside of the ids': text('zero', ',"note":"a\\u0000b","attributes":{"\\u0000":"\\u0000"}'),
    'with lone surrogates outside of the ids': text('half', ',"note":"\\ud800","reason":"\\udc00"'),
    'with characters of every length': text('wide', ',"note":"ñ € 😀 \u2028 \ufffd"'),
    'with duplicate keys, of which the last counts': '{"id":"first","id":"duplicate","commerceExternalId":"C-1"}',
    'with a number beyond any double': text('huge', ',"x":1e400,"y":-1e400'),
    'with an integer of 400 digits': text('digits', `,"x":${'9'.repeat(400)}`),
    'with __proto__': text('proto', ',"__proto__":{"id":"polluted","commerceExternalId":"polluted"}'),
    'with constructor': text('constructor', ',"constructor":{"prototype":{"id":"polluted"}}'),
    'with ids that name parts of every object': '{"id":"__proto__","commerceExternalId":"constructor"}',
    'nested as deep as it may be': text('deep', `,"x":${nested(63)}`),
    'of one mebibyte': exactly(1_048_576, 'large'),
    'with ten thousand unknown fields': text(
      'many',
      Array.from({ length: 10_000 }, (_, n) => `,"f${n}":${n}`).join(''),
    ),
    'with an id of 200 characters': text('x'.repeat(200), ''),
  }
  for (const [what, body] of Object.entries(bodies)) {
    await t.test(`${what} is answered 201 and stands byte for byte`, async (t) => {
      const answer = await receiver.push(body)

      t.equal(answer.statusCode, 201, answer.body)
      t.ok(shapeOf(answer))
      t.equal(await whereKept(receiver, Buffer.from(body)), 'stored')
      t.equal((await receiver.push(body)).statusCode, 200, 'and its repeat 200')
      t.equal(await whereKept(receiver, Buffer.from(body)), 'stored')
    })
  }

  await t.test('is read by its last duplicate and never by what __proto__ holds', async (t) => {
    const { rows } = {
      rows: await receiver.db.selectFrom('dispatches').select(['activity_id', 'commerce_id']).execute(),
    }

    t.ok(rows.some((row) => row.activity_id === 'duplicate'))
    t.notOk(rows.some((row) => /first|polluted/.test(`${row.activity_id} ${row.commerce_id}`)))
    t.match(
      rows.find((row) => row.activity_id === '__proto__'),
      { commerce_id: 'constructor' },
    )
  })
})

void t.test('a body whose activity is known and not more', async (t) => {
  const receiver = await createReceiver(t)
  const bodies: Readonly<Record<string, readonly [body: string, path: string]>> = {
    'no commerce': ['{"id":"no-commerce"}', '/commerceExternalId'],
    'a wrong type': [text('wrong-type', ',"score":"high"'), '/score'],
    'U+0000 in a stored id': ['{"id":"zero-commerce","commerceExternalId":"C\\u0000"}', '/commerceExternalId'],
    'a lone surrogate in a stored id': [
      '{"id":"half-commerce","commerceExternalId":"C\\ud800"}',
      '/commerceExternalId',
    ],
    'a time in a year the database does not know': [text('year', ',"scheduledAt":"0000-01-01T00:00:00Z"'), ''],
    'a time zone beyond a day': [text('zone', ',"scheduledAt":"2026-05-04T13:00:00+23:59"'), ''],
    '200,000 levels beside the id': [text('deep', `,"x":${nested(200_000)}`), ''],
    '65 levels': [text('deep-65', `,"x":${nested(64)}`), ''],
  }
  for (const [what, [body, path]] of Object.entries(bodies)) {
    await t.test(`for ${what} is answered 202, says what is wrong, and is kept once`, async (t) => {
      const answers = [await receiver.push(body), await receiver.push(body)]

      for (const answer of answers) {
        t.equal(answer.statusCode, 202, answer.body)
        t.ok(shapeOf(answer))
        t.match(answer.json(), { status: 'QUARANTINED', details: [{ path }], requestId: String })
      }
      t.equal(answers[0]?.json().id, answers[1]?.json().id)
      t.equal(await whereKept(receiver, Buffer.from(body)), 'quarantine')
    })
  }

  await t.test('is counted with each arrival', async (t) => {
    const rows = await receiver.db.selectFrom('quarantine').select(['times', 'activity_id', 'dispatch_id']).execute()

    t.ok(rows.every((row) => row.times === 2 && row.activity_id !== null && row.dispatch_id !== null))
  })

  await t.test('is refused with 400 and kept where the connection wants it refused', async (t) => {
    const strict = await createReceiver(t, { settings: { on_unreadable: 'refuse' } })

    for (const [body] of Object.values(bodies)) {
      const answer = await strict.push(body)
      t.equal(answer.statusCode, 400, answer.body)
      t.ok(shapeOf(answer))
      t.match(answer.json().details, [{ message: String }])
      t.equal(await whereKept(strict, Buffer.from(body)), 'quarantine')
    }
  })
})

void t.test('a body whose activity is not known', async (t) => {
  const receiver = await createReceiver(t)
  const zipped = gzipSync(JSON.stringify(activity('zipped')))
  const bodies: readonly (readonly [
    what: string,
    body: string | Buffer,
    status: number,
    code: string,
    headers?: Readonly<Record<string, string | undefined>>,
  ])[] = [
    ['without an id', '{"commerceExternalId":"C-1"}', 400, 'RCV_ACTIVITY_ID_MISSING'],
    ['with a number for an id', '{"id":7,"commerceExternalId":"C-1"}', 400, 'RCV_ACTIVITY_ID_MISSING'],
    ['with an empty id', text('', ''), 400, 'RCV_ACTIVITY_ID_MISSING'],
    ['with an id of 201 characters', text('x'.repeat(201), ''), 400, 'RCV_ACTIVITY_ID_MISSING'],
    ['with U+0000 in its id', text('a\\u0000', ''), 400, 'RCV_ACTIVITY_ID_MISSING'],
    ['with a lone surrogate in its id', text('\\ud83d', ''), 400, 'RCV_ACTIVITY_ID_MISSING'],
    [
      'with an id only in __proto__',
      '{"__proto__":{"id":"a","commerceExternalId":"C"}}',
      400,
      'RCV_ACTIVITY_ID_MISSING',
    ],
    ['with 200,000 levels and no id', `{"x":${nested(200_000)}}`, 400, 'RCV_ACTIVITY_ID_MISSING'],
    ['that is an array', `[${text('a', '')}]`, 400, 'RCV_BODY_NOT_OBJECT'],
    ['of 200,000 levels', nested(200_000), 400, 'RCV_BODY_NOT_OBJECT'],
    ['that is a string', '"id"', 400, 'RCV_BODY_NOT_OBJECT'],
    ['that is null', 'null', 400, 'RCV_BODY_NOT_OBJECT'],
    ['that is empty', '', 400, 'RCV_BODY_NOT_JSON'],
    ['that is cut off', '{"id":"cut","commerceExternalId":', 400, 'RCV_BODY_NOT_JSON'],
    ['of 200,000 brackets that stay open', '['.repeat(200_000), 400, 'RCV_BODY_NOT_JSON'],
    ['that is not UTF-8', Buffer.from('{"id":"\xff\xfe"}', 'latin1'), 400, 'RCV_BODY_NOT_JSON'],
    ['with an encoded surrogate', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 400, 'RCV_BODY_NOT_JSON'],
    ['in UTF-16', Buffer.from(text('utf16', ''), 'utf16le'), 400, 'RCV_BODY_NOT_JSON'],
    ['of random bytes', randomBytes(5_000), 400, 'RCV_BODY_NOT_JSON'],
    ['of zeros', Buffer.alloc(100), 400, 'RCV_BODY_NOT_JSON'],
    ['without a content type', text('untyped', ''), 415, 'RCV_CONTENT_TYPE', { 'content-type': undefined }],
    ['of plain text', text('plain', ''), 415, 'RCV_CONTENT_TYPE', { 'content-type': 'text/plain' }],
    ['of a form', 'id=form', 415, 'RCV_CONTENT_TYPE', { 'content-type': 'application/x-www-form-urlencoded' }],
    [
      'of a type that is almost JSON',
      text('almost', ''),
      415,
      'RCV_CONTENT_TYPE',
      { 'content-type': 'application/jsonx' },
    ],
    ['of a type that is none', text('none', ''), 415, 'RCV_CONTENT_TYPE', { 'content-type': 'json' }],
    ['of a type that is noise', text('noise', ''), 415, 'RCV_CONTENT_TYPE', { 'content-type': ';/;/;' }],
    ['that is compressed', zipped, 415, 'RCV_CONTENT_ENCODING', { 'content-encoding': 'gzip' }],
    ['of an encoding nobody knows', text('coded', ''), 415, 'RCV_CONTENT_ENCODING', { 'content-encoding': 'x, y' }],
  ]
  for (const [what, body, status, code, headers] of bodies) {
    await t.test(`${what} is refused with ${status} ${code}, and kept once`, async (t) => {
      const answers = [await receiver.push(body, headers), await receiver.push(body, headers)]

      for (const answer of answers) {
        t.match(answer.json(), { statusCode: status, code })
        t.equal(answer.statusCode, status)
        t.ok(shapeOf(answer))
        t.ok(answer.body.length < 1_000, 'without the body in its answer')
      }
      t.equal(await whereKept(receiver, Buffer.from(body)), 'quarantine')
    })
  }

  await t.test('is kept with what came along', async (t) => {
    const row = await receiver.db
      .selectFrom('quarantine')
      .selectAll()
      .where('code', '=', 'RCV_CONTENT_ENCODING')
      .where('body', '=', zipped)
      .executeTakeFirstOrThrow()

    t.match(row, {
      connection: 'acme',
      content_type: 'application/json',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      details: [{ message: 'content-encoding is "gzip" and must be absent' }],
      times: 2,
    })
  })

  await t.test('leaves no dispatch and no job behind', async (t) => {
    t.same(await receiver.db.selectFrom('dispatches').selectAll().execute(), [])
    t.same(await receiver.db.selectFrom('jobs').selectAll().execute(), [])
  })
})

void t.test('content types that mean JSON', async (t) => {
  const receiver = await createReceiver(t)
  const types = [
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    'APPLICATION/JSON',
    ' application/json ; x="a;b"',
    'application/vnd.reten.activity+json',
    'application/json; charset',
  ]
  for (const [number, type] of types.entries()) {
    await t.test(`are taken: ${type}`, async (t) => {
      t.equal((await receiver.push(activity(`a-${number}`), { 'content-type': type })).statusCode, 201)
    })
  }

  await t.test('are taken with an encoding that changes nothing', async (t) => {
    t.equal((await receiver.push(activity('identity'), { 'content-encoding': 'identity' })).statusCode, 201)
  })
})

void t.test('a body that is too large', async (t) => {
  const receiver = await createReceiver(t)
  const port = await listenOnFreePort(receiver.app)
  const over = exactly(1_048_577, 'over')

  await t.test('is refused with 413, and not kept', async (t) => {
    const answer = await receiver.push(over)

    t.equal(answer.statusCode, 413)
    t.match(answer.json(), { statusCode: 413, code: 'RCV_BODY_TOO_LARGE' })
    t.ok(shapeOf(answer))
    t.equal(await whereKept(receiver, Buffer.from(over)), 'nowhere')
  })

  await t.test('is refused where its length is not announced', async (t) => {
    const headers = { 'x-api-key': KEY, 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
    const chunk = `${over.length.toString(16)}\r\n${over}\r\n0\r\n\r\n`

    const [answer] = await exchange(port, rawPost('/activities', headers, chunk))

    t.match(answer, { status: 413, body: /RCV_BODY_TOO_LARGE/ })
  })

  await t.test('is told by the setting', async (t) => {
    const small = await createReceiver(t, { config: { maxBodyBytes: 1_024 } })

    t.equal((await small.push(exactly(1_024, 'fits'))).statusCode, 201)
    t.equal((await small.push(exactly(1_025, 'over'))).statusCode, 413)
  })
})
