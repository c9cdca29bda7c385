import { sql } from 'kysely'
import t from 'tap'
import { request } from 'undici'
import { createLogger } from '../../src/logger.ts'
import { createMetrics } from '../../src/metrics.ts'
import { createPublicApp } from '../../src/public-app.ts'
import { readProviderEvent } from '../../src/report/read-provider-event.ts'
import { registerWebhookRoutes } from '../../src/report/webhook-routes.ts'
import { createConnectionCatalog } from '../../src/store/connection-catalog.ts'
import { createEventMatcher } from '../../src/store/match-provider-events.ts'
import { addKey } from '../support/connections.ts'
import { addConnection, clearLedger, deliver, openLedger, readStory, storeDispatch, tells } from '../support/ledger.ts'
import { listenOnFreePort } from '../support/raw-request.ts'

const { db } = await openLedger(t)
const TOKEN = 'webhook-token-of-acme-01'

const lines: Record<string, unknown>[] = []
const logger = createLogger({
  level: 'debug',
  isPretty: false,
  // Each line is an object: that is what the logger writes.
  destination: { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
})
const metrics = createMetrics({ withNodeMetrics: false })
const catalog = createConnectionCatalog({ db, config: { environmentConnection: undefined, secretsKeys: [] }, logger })
const told: string[] = []
const { app, refuseFailedKey } = await createPublicApp({
  config: { trustProxy: false, maxBodyBytes: 100_000, rateLimitPerMinute: 0 },
  logger,
  metrics,
})
registerWebhookRoutes(app, {
  db,
  catalog,
  metrics,
  refuseFailedKey,
  readEvent: async (connection, provider, body) =>
    provider === connection.provider ? readProviderEvent(body) : undefined,
  onReportDue: () => told.push('report due'),
})
t.teardown(() => app.close())
const origin = `http://127.0.0.1:${await listenOnFreePort(app)}`

t.beforeEach(async () => {
  await clearLedger(db)
  await addKey(db, { key: TOKEN, purpose: 'webhook' })
  await catalog.refresh()
  told.length = 0
})

const BODY = {
  eventId: 'E-1',
  status: 'EFFECTIVE',
  result: 'SALE_COMPLETED',
  occurredAt: '2026-05-04T15:20:00.000Z',
}

interface Answered {
  readonly status: number
  readonly body: Record<string, unknown>
}

async function post(body: unknown, headers: Record<string, string> = { 'x-api-key': TOKEN }, provider = 'test') {
  const sent = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  const answer = await request(`${origin}/webhooks/${provider}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: sent,
  })
  // Every answer of ours is a JSON object; what it holds is asserted by the tests.
  return { status: answer.statusCode, body: (await answer.body.json()) as Record<string, unknown> } satisfies Answered
}

t.test('POST /webhooks/{provider}', async (t) => {
  t.test('takes an event by our id, Reten’s or the provider’s, and answers with ours', async (t) => {
    for (const by of ['dispatchId', 'activityId', 'providerTaskId'] as const) {
      const activityId = `A-${by}`
      const id = await storeDispatch(db, activityId)
      await deliver(db, `T-${by}`)
      const ids = { dispatchId: id, activityId, providerTaskId: `T-${by}` }

      t.strictSame(
        await post({ ...BODY, eventId: by, [by]: ids[by] }),
        { status: 200, body: { id, dispatchId: id, activityId, status: 'RECEIVED' } },
        by,
      )
    }
    t.equal(told.length, 3)
  })

  t.test('takes the token as a bearer token too', async (t) => {
    const id = await storeDispatch(db)

    t.equal((await post({ ...BODY, dispatchId: id }, { authorization: `Bearer ${TOKEN}` })).status, 200)
  })

  t.test('answers a repeat like the first one, and makes nothing due', async (t) => {
    const id = await storeDispatch(db)
    const first = await post({ ...BODY, dispatchId: id })
    told.length = 0

    t.strictSame(await post({ ...BODY, dispatchId: id }), first)
    t.strictSame(told, [])
    t.equal((await readStory(db, id)).results.length, 1)
  })

  t.test('keeps an event that fits no dispatch yet, and it is matched later', async (t) => {
    t.strictSame(await post({ ...BODY, activityId: 'A-1' }), { status: 202, body: { id: null, status: 'WAITING' } })

    const id = await storeDispatch(db)
    await deliver(db)
    t.equal(await createEventMatcher(db, logger)(), 1)
    tells(t, await readStory(db, id), { results: [{ source: 'webhook', state: 'pending' }] })
  })

  const REFUSED: Readonly<Record<string, readonly [Record<string, string>, string]>> = {
    'no token': [{}, 'test'],
    'an empty token': [{ 'x-api-key': '' }, 'test'],
    'an unknown token': [{ 'x-api-key': 'nobody-has-this-token' }, 'test'],
    'a token as basic credentials': [{ authorization: `Basic ${TOKEN}` }, 'test'],
    'a key that Reten calls us with': [{ 'x-api-key': 'dispatch-key-of-acme-01' }, 'test'],
    'the path of another provider': [{ 'x-api-key': TOKEN }, 'yom'],
    'the path of an object’s own': [{ 'x-api-key': TOKEN }, '__proto__'],
  }
  for (const [sentence, [headers, provider]] of Object.entries(REFUSED)) {
    t.test(`refuses ${sentence}, and says no more than that`, async (t) => {
      await addKey(db, { key: 'dispatch-key-of-acme-01', purpose: 'dispatch' })
      const id = await storeDispatch(db)

      const answer = await post({ ...BODY, dispatchId: id }, headers, provider)

      t.match(answer, { status: 401, body: { code: 'RCV_UNAUTHORIZED', message: 'the key is missing or not valid' } })
      t.equal((await readStory(db, id)).results.length, 0)
    })
  }

  t.test('never lets one connection’s token tell of another’s dispatch', async (t) => {
    await addConnection(db, 'other')
    await addKey(db, { connection: 'other', key: 'webhook-token-of-other-01', purpose: 'webhook' })
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')

    const answer = await post(
      { ...BODY, dispatchId: id, activityId: 'A-1', providerTaskId: 'T-1' },
      { 'x-api-key': 'webhook-token-of-other-01' },
    )

    t.equal(answer.status, 202, 'kept, since nobody may learn whether it is there')
    t.equal((await readStory(db, id)).results.length, 0)
  })

  t.test('refuses a token once it is revoked', async (t) => {
    await sql`update connection_keys set revoked_at = now()`.execute(db)
    await catalog.refresh()

    t.equal((await post({ ...BODY, activityId: 'A-1' })).status, 401)
  })

  const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`

  const GARBAGE: Readonly<Record<string, readonly [body: unknown, status: number, code: string, path?: string]>> = {
    nothing: ['', 400, 'RCV_BODY_NOT_JSON'],
    'no JSON': ['status=EFFECTIVE', 400, 'RCV_BODY_NOT_JSON'],
    'half of it': ['{"status":"EFF', 400, 'RCV_BODY_NOT_JSON'],
    'bytes that are no text': [Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 400, 'RCV_BODY_NOT_JSON'],
    'a list': [[BODY], 400, 'RCV_BODY_NOT_OBJECT'],
    null: ['null', 400, 'RCV_BODY_NOT_OBJECT'],
    'nesting without end': [nested(10_000), 400, 'RCV_BODY_TOO_DEEP'],
    'more than anybody reads': [JSON.stringify({ ...BODY, comment: 'x'.repeat(200_000) }), 413, 'RCV_BODY_TOO_LARGE'],
    'no id': [BODY, 400, 'RCV_BODY_INVALID', '/dispatchId'],
    'no status': [{ ...BODY, activityId: 'A-1', status: undefined }, 400, 'RCV_BODY_INVALID', '/status'],
    'an unheard-of status': [{ ...BODY, activityId: 'A-1', status: 'DONE' }, 400, 'RCV_BODY_INVALID', '/status'],
    'an object for a code': [{ ...BODY, activityId: 'A-1', result: {} }, 400, 'RCV_BODY_INVALID', '/result'],
    'a leap second': [
      { ...BODY, activityId: 'A-1', occurredAt: '2016-12-31T23:59:60Z' },
      400,
      'RCV_BODY_INVALID',
      '/occurredAt',
    ],
    'the year 0': [
      { ...BODY, activityId: 'A-1', occurredAt: '0000-05-04T00:00:00Z' },
      400,
      'RCV_BODY_INVALID',
      '/occurredAt',
    ],
    'the year 10000': [
      { ...BODY, activityId: 'A-1', futureScheduledAt: '9999-12-31T23:59:59-01:00' },
      400,
      'RCV_BODY_INVALID',
      '/futureScheduledAt',
    ],
    'U+0000 in an id': [{ ...BODY, activityId: 'A\u00001' }, 400, 'RCV_BODY_INVALID', '/activityId'],
    'half a character in an id': [{ ...BODY, providerTaskId: 'T\udc00' }, 400, 'RCV_BODY_INVALID', '/providerTaskId'],
  }
  for (const [sentence, [body, status, code, path]] of Object.entries(GARBAGE)) {
    t.test(`refuses ${sentence}${path === undefined ? '' : ', and names the field'}`, async (t) => {
      const answer = await post(body)

      t.match(answer, { status, body: { statusCode: status, code, requestId: String } })
      if (path !== undefined) {
        t.match(answer.body, { details: [{ path }] })
        t.match(answer.body['message'], path)
      }
    })
  }

  t.test('stores what people wrote, whatever it is', async (t) => {
    const id = await storeDispatch(db)

    const answer = await post({
      ...BODY,
      dispatchId: id,
      comment: 'a\u0000b\ud800c\u{1f600}',
      externalStatus: '\u0000',
      constructor: { prototype: 1 },
    })

    t.equal(answer.status, 200)
    tells(t, await readStory(db, id), { results: [{ comment: 'a\ufffdb\ufffdc\u{1f600}', external_status: '\ufffd' }] })
  })

  t.test('keeps what people wrote of a dispatch that is not there yet', async (t) => {
    const event = { ...BODY, activityId: 'A-1', comment: 'a\u0000b\ud800c' }
    t.equal((await post(event)).status, 202)
    const id = await storeDispatch(db)
    await deliver(db)

    await createEventMatcher(db, logger)()

    tells(t, await readStory(db, id), { results: [{ comment: 'a\ufffdb\ufffdc' }] })
  })

  t.test(
    'says nothing of why where the database refuses, keeps nothing, and takes the event once it comes again',
    async (t) => {
      const id = await storeDispatch(db)
      await sql`alter table provider_events rename to hidden`.execute(db)
      const restore = () => sql`alter table if exists hidden rename to provider_events`.execute(db)
      t.teardown(restore)

      const refused = await post({ ...BODY, dispatchId: id })
      await restore()

      t.match(refused, { status: 500, body: { code: 'RCV_INTERNAL' } })
      t.notMatch(JSON.stringify(refused.body), /hidden|provider_events|relation/)
      t.equal((await post({ ...BODY, dispatchId: id })).status, 200)
    },
  )

  t.test('takes events of one dispatch that come all at once', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)

    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, number) => post({ ...BODY, dispatchId: id, eventId: `E-${number % 4}` })),
    )

    t.strictSame(
      answers.map(({ status }) => status),
      answers.map(() => 200),
    )
    t.equal((await readStory(db, id)).results.length, 4)
  })

  t.test('counts and tells each event once, without what it says', async (t) => {
    lines.length = 0
    const id = await storeDispatch(db)

    await post({ ...BODY, dispatchId: id, comment: 'a secret between two people' })

    const received = lines.filter((line) => line['event'] === 'result.received')
    t.equal(received.length, 1)
    t.match(received[0], { connection: 'acme', dispatchId: id, activityId: 'A-1', status: 'EFFECTIVE', isNew: true })
    t.notMatch(JSON.stringify(lines), /secret between/)
    t.match(await metrics.expose(), /requests_total\{route="\/webhooks\/:provider",outcome="matched",cause="none"\}/)
  })
})
