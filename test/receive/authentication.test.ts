import t from 'tap'
import { sql } from 'kysely'
import type { EnvironmentConnection } from '../../src/environment-connection.ts'
import { createAjv, readSchema } from '../../src/schemas.ts'
import { saveEnvironmentConnection } from '../../src/store/save-environment-connection.ts'
import { activity } from '../support/activities.ts'
import { addConnection, addKey, KEY } from '../support/connections.ts'
import { exchange, listenOnFreePort, rawPost } from '../support/raw-request.ts'
import { createReceiver } from '../support/receive-app.ts'

const isError = createAjv().compile(readSchema('error'))

void t.test('a push without a good key', async (t) => {
  const receiver = await createReceiver(t)
  const { db, push } = receiver
  const past = new Date(Date.now() - 60_000).toISOString()
  const future = new Date(Date.now() + 60_000).toISOString()
  await addKey(db, { key: 'a-webhook-token-0123456789', purpose: 'webhook' })
  await addKey(db, { key: 'a-revoked-key-0123456789', revokedAt: past })
  await addKey(db, { key: 'a-key-for-later-0123456789', notBefore: future })
  await addKey(db, { key: 'an-expired-key-0123456789', notAfter: past })
  await addConnection(db, { name: 'gone', state: 'archived', key: 'a-key-of-gone-0123456789' })
  await receiver.catalog.refresh()

  const keys: Readonly<Record<string, string | undefined>> = {
    'no key': undefined,
    'an empty key': '',
    'a wrong key': 'a-wrong-key-0123456789',
    'a part of the key': KEY.slice(0, -1),
    'the key in other letters': KEY.toUpperCase(),
    'the key twice in one header': `${KEY}, ${KEY}`,
    'a key of another purpose': 'a-webhook-token-0123456789',
    'a revoked key': 'a-revoked-key-0123456789',
    'a key that is not valid yet': 'a-key-for-later-0123456789',
    'an expired key': 'an-expired-key-0123456789',
    'the key of an archived connection': 'a-key-of-gone-0123456789',
  }
  const answers: string[] = []
  for (const [what, key] of Object.entries(keys)) {
    await t.test(`is refused: ${what}`, async (t) => {
      const answer = await push(activity('a'), { 'x-api-key': key })

      t.equal(answer.statusCode, 401)
      t.ok(isError(answer.json()))
      const { requestId: _requestId, ...rest } = answer.json()
      answers.push(JSON.stringify(rest))
    })
  }

  await t.test('is refused where the header comes twice', async (t) => {
    const port = await listenOnFreePort(receiver.app)
    const headers = { 'x-api-key': KEY, 'X-API-Key': KEY, 'content-length': '2', connection: 'close' }

    const [answer] = await exchange(port, rawPost('/activities', headers, '{}'))

    t.equal(answer?.status, 401)
  })

  await t.test('is never told why', async (t) => {
    t.same(
      new Set(answers),
      new Set([
        '{"statusCode":401,"error":"Unauthorized","code":"RCV_UNAUTHORIZED","message":"the key is missing or not valid"}',
      ]),
    )
  })

  await t.test('is kept nowhere, and none of its body is read', async (t) => {
    t.same(await db.selectFrom('dispatches').selectAll().execute(), [])
    t.same(await db.selectFrom('quarantine').selectAll().execute(), [])
    t.equal((await push('x'.repeat(2_000_000), { 'x-api-key': 'wrong' })).statusCode, 401, 'rather than 413')
  })

  await t.test('is logged with a short hash of the key, never with the key, and counted', async (t) => {
    const line = receiver.log.findLast((written) => written['event'] === 'request.refused')

    t.match(line, { level: 'warn', route: '/activities', cause: 'RCV_UNAUTHORIZED', keyHash: /^[0-9a-f]{8}$/ })
    for (const key of Object.values(keys)) {
      if (key !== undefined && key !== '') t.notOk(JSON.stringify(receiver.log).includes(key))
    }
    t.match(await receiver.metrics.expose(), /auth_failures_total\{route="\/activities"\} 13/)
  })
})

void t.test('a push with a good key', async (t) => {
  await t.test('is taken, and counted by the id of its key', async (t) => {
    const { db, push, metrics } = await createReceiver(t)

    t.equal((await push(activity('a'))).statusCode, 201)

    const { id } = await db.selectFrom('connection_keys').select('id').executeTakeFirstOrThrow()
    t.match(await metrics.expose(), new RegExp(`key_used_total\\{connection="acme",key="${id}"\\} 1`))
  })

  await t.test('is taken with each of several keys', async (t) => {
    const { db, push } = await createReceiver(t)
    await addKey(db, { key: 'a-second-key-0123456789' })

    t.equal((await push(activity('a'))).statusCode, 201)
    t.equal((await push(activity('a'), { 'x-api-key': 'a-second-key-0123456789' })).statusCode, 200)
  })

  await t.test('is taken at once with a key that was added to a running service', async (t) => {
    const { db, push } = await createReceiver(t)
    const headers = { 'x-api-key': 'a-key-of-new-0123456789' }
    t.equal((await push(activity('a'), headers)).statusCode, 401)

    await addConnection(db, { name: 'new', key: headers['x-api-key'] })

    t.equal((await push(activity('a'), headers)).statusCode, 201)
  })

  await t.test('is refused once its key is revoked and the catalog has been read again', async (t) => {
    const { db, catalog, push } = await createReceiver(t)
    await sql`update connection_keys set revoked_at = now()`.execute(db)

    await catalog.refresh()

    t.equal((await push(activity('a'))).statusCode, 401)
  })

  await t.test('is taken for a paused connection', async (t) => {
    const { db, catalog, push } = await createReceiver(t)
    await sql`update connections set state = 'paused', state_reason = 'provider is down'`.execute(db)
    await catalog.refresh()

    t.equal((await push(activity('a'))).statusCode, 201)
  })

  await t.test("is taken with each of the environment's keys while they are rotated", async (t) => {
    const environment: EnvironmentConnection = {
      dispatchKeys: ['an-old-env-key-0123456789', 'a-new-env-key-0123456789'],
      provider: 'mock',
      retenBaseUrl: undefined,
      retenApiKey: undefined,
      webhookToken: 'an-env-token-0123456789',
      providerSettings: {},
      providerSecrets: {},
      settings: {},
    }
    const { db, catalog, push } = await createReceiver(t, { environmentConnection: environment })
    await saveEnvironmentConnection(db, { ...environment, name: 'default' })
    await catalog.refresh()

    const codes: number[] = []
    for (const key of [...environment.dispatchKeys, KEY, 'an-env-token-0123456789']) {
      codes.push((await push(activity('a'), { 'x-api-key': key })).statusCode)
    }

    t.same(codes, [201, 200, 201, 401])
    t.same(
      (await db.selectFrom('dispatches').select('connection').orderBy('seq').execute()).map((row) => row.connection),
      ['default', 'acme'],
    )
  })
})

void t.test('failed authentications', async (t) => {
  await t.test('are limited per address, while a good key from there still passes', async (t) => {
    const { app, push } = await createReceiver(t, { config: { trustProxy: 1 } })
    const from = (address: string, key: string) => push(activity('a'), { 'x-forwarded-for': address, 'x-api-key': key })

    const codes: number[] = []
    for (let number = 0; number < 65; number += 1) codes.push((await from('10.0.0.1', `wrong-${number}`)).statusCode)
    const limited = await from('10.0.0.1', 'wrong')

    t.same(codes, [...Array(60).fill(401), ...Array(5).fill(429)])
    t.match(limited.json(), { statusCode: 429, code: 'RCV_RATE_LIMITED', message: 'too many failed authentications' })
    t.ok(isError(limited.json()))
    t.match(limited.headers['retry-after'], /^([1-9]|[1-5]\d|60)$/)
    t.equal((await from('10.0.0.1', KEY)).statusCode, 201)
    t.equal((await from('10.0.0.2', 'wrong')).statusCode, 401, 'another address has its own count')
    t.equal((await app.inject({ url: '/nothing', remoteAddress: '10.0.0.1' })).statusCode, 404)
  })

  await t.test('are counted together for the addresses one IPv6 host can take', async (t) => {
    const { push } = await createReceiver(t, { config: { trustProxy: 1 } })

    const codes: number[] = []
    for (let number = 0; number < 65; number += 1) {
      const headers = { 'x-forwarded-for': `2001:db8:1:2::${number.toString(16)}`, 'x-api-key': 'wrong' }
      codes.push((await push(activity('a'), headers)).statusCode)
    }

    t.equal(codes.filter((code) => code === 429).length, 5)
  })
})

void t.test('the rate limit', async (t) => {
  await t.test('counts each connection by itself, after its key was checked', async (t) => {
    const { db, push } = await createReceiver(t, { config: { rateLimitPerMinute: 3 } })
    await addConnection(db, { name: 'other', key: 'a-key-of-other-0123456789' })
    await addKey(db, { key: 'a-second-key-0123456789' })

    const codes: number[] = []
    for (const key of [KEY, 'wrong', 'a-second-key-0123456789', 'wrong', KEY]) {
      codes.push((await push(activity('a'), { 'x-api-key': key })).statusCode)
    }
    const limited = await push(activity('b'))

    t.same(codes, [201, 401, 200, 401, 200])
    t.match(limited.json(), { statusCode: 429, code: 'RCV_RATE_LIMITED', message: 'more than 3 dispatches a minute' })
    t.ok(isError(limited.json()))
    t.match(limited.headers['retry-after'], /^([1-9]|[1-5]\d|60)$/)
    t.equal((await push(activity('b'), { 'x-api-key': 'a-key-of-other-0123456789' })).statusCode, 201)
    t.equal((await push(activity('b'), { 'x-api-key': 'wrong' })).statusCode, 401, 'a wrong key learns nothing of it')
  })

  await t.test('keeps what it refuses nowhere', async (t) => {
    const { db, push } = await createReceiver(t, { config: { rateLimitPerMinute: 1 } })
    await push(activity('a'))

    t.equal((await push(activity('b'))).statusCode, 429)
    t.equal((await push('{')).statusCode, 429)

    t.equal((await db.selectFrom('dispatches').selectAll().execute()).length, 1)
    t.same(await db.selectFrom('quarantine').selectAll().execute(), [])
  })

  await t.test('can be switched off', async (t) => {
    const { push } = await createReceiver(t, { config: { rateLimitPerMinute: 0 } })

    const answer = await push(activity('a'))

    t.equal(answer.statusCode, 201)
    t.equal(answer.headers['x-ratelimit-limit'], undefined)
  })
})
