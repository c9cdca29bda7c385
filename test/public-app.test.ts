import { connect } from 'node:net'
import { sql } from 'kysely'
import t from 'tap'
import { readSchema, createAjv } from '../src/schemas.ts'
import { activity } from './support/activities.ts'
import { KEY } from './support/connections.ts'
import { exchange, listenOnFreePort, rawPost, readAnswers } from './support/raw-request.ts'
import { createReceiver } from './support/receive-app.ts'

const isErrorAnswer = createAjv().compile(readSchema('error'))

void t.test('every error answer', async (t) => {
  const receiver = await createReceiver(t)
  const port = await listenOnFreePort(receiver.app)
  const inject = async (method: 'GET' | 'POST' | 'PUT' | 'OPTIONS', url: string, headers = {}) => {
    const answer = await receiver.app.inject({ method, url, headers, payload: method === 'GET' ? '' : '{}' })
    return { status: answer.statusCode, body: answer.body }
  }
  const raw = async (bytes: string | Buffer) => {
    const [answer] = await exchange(port, bytes)
    return { status: answer?.status ?? 0, body: answer?.body ?? '' }
  }
  const requests: readonly (readonly [string, number, string, () => Promise<{ status: number; body: string }>])[] = [
    ['no such route', 404, 'RCV_ROUTE_NOT_FOUND', () => inject('GET', '/nothing?x=1')],
    ['no such method', 404, 'RCV_ROUTE_NOT_FOUND', () => inject('GET', '/activities')],
    ['a method without a body', 404, 'RCV_ROUTE_NOT_FOUND', () => inject('OPTIONS', '/activities')],
    ['a path that cannot be decoded', 400, 'RCV_REQUEST_INVALID', () => inject('POST', '/activities/%zz')],
    ['no key', 401, 'RCV_UNAUTHORIZED', () => inject('POST', '/activities')],
    [
      'a content type',
      415,
      'RCV_CONTENT_TYPE',
      () => inject('POST', '/activities', { 'x-api-key': KEY, 'content-type': 'text/plain' }),
    ],
    [
      'a media type that cannot be read',
      415,
      'RCV_CONTENT_TYPE',
      () => inject('POST', '/activities', { 'x-api-key': KEY, 'content-type': 'garbage' }),
    ],
    ['no HTTP at all', 400, 'RCV_REQUEST_INVALID', () => raw('NONSENSE\r\n\r\n')],
    [
      'headers beyond any measure',
      431,
      'RCV_REQUEST_INVALID',
      () => raw(`GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`),
    ],
    [
      'a body that announces itself too large',
      413,
      'RCV_BODY_TOO_LARGE',
      () => raw(rawPost('/activities', { 'x-api-key': KEY, 'content-length': '1048577' }, '')),
    ],
  ]
  for (const [sentence, status, code, ask] of requests) {
    await t.test(`has one shape: ${sentence}`, async (t) => {
      const answer = await ask()

      const body: unknown = JSON.parse(answer.body)
      t.equal(answer.status, status)
      t.match(body, { statusCode: status, code })
      t.ok(isErrorAnswer(body), JSON.stringify(isErrorAnswer.errors))
    })
  }

  await t.test('carries an id of ours, whatever id the sender brings', async (t) => {
    const answer = await receiver.app.inject({
      url: '/nothing',
      headers: { 'request-id': 'theirs', 'x-request-id': 'theirs' },
    })

    t.match(answer.json(), { requestId: /^[0-9a-f-]{36}$/ })
  })

  await t.test('carries the headers that tell browsers to keep off', async (t) => {
    const answer = await receiver.app.inject('/nothing')

    t.match(answer.headers, { 'x-content-type-options': 'nosniff', 'content-security-policy': String })
    t.equal(answer.headers['x-powered-by'], undefined)
  })
})

void t.test('a fault of ours', async (t) => {
  await t.test('tells the sender nothing but where to look, and the log everything', async (t) => {
    const { db, log, push } = await createReceiver(t)
    await sql`alter table jobs rename to moved`.execute(db)

    const answer = await push(activity('a'))

    t.equal(answer.statusCode, 500)
    t.match(answer.json(), {
      statusCode: 500,
      error: 'Internal Server Error',
      code: 'RCV_INTERNAL',
      message: 'this request could not be served; the log knows why by its request id',
    })
    t.ok(isErrorAnswer(answer.json()))
    t.notMatch(answer.body, /jobs|relation|sql/i)
    const line = log.find((written) => written['event'] === 'request.failed')
    t.match(line, {
      level: 'error',
      requestId: answer.json().requestId,
      err: { stack: /relation "jobs" does not exist/ },
    })
  })
})

void t.test('a sender who leaves in the middle of a body', async (t) => {
  await t.test('is no fault of the database', async (t) => {
    const { app, log, logged, metrics } = await createReceiver(t)
    const socket = connect(await listenOnFreePort(app), '127.0.0.1')
    socket.write(rawPost('/activities', { 'x-api-key': KEY, 'content-length': '500' }, '{"id":'))
    while (!(await metrics.expose()).includes('key_used_total{')) await new Promise(setImmediate)

    socket.resetAndDestroy()

    t.match(await logged('request.refused'), { cause: 'RCV_REQUEST_INVALID', level: 'warn' })
    t.notOk(log.some((line) => line['level'] === 'error'))
  })
})

void t.test('the address of a sender', async (t) => {
  const addressBehind = async (trustProxy: false | number | string[], forwarded: string): Promise<unknown> => {
    const { app, log } = await createReceiver(t, { config: { trustProxy } })
    await app.inject({ method: 'POST', url: '/activities', headers: { 'x-forwarded-for': forwarded } })
    return log.find((line) => line['event'] === 'request.refused')?.['address']
  }

  await t.test('is that of the connection, unless somebody in front is trusted', async (t) => {
    t.equal(await addressBehind(false, '1.1.1.1, 2.2.2.2'), '127.0.0.1')
  })

  await t.test('is told by as many proxies as are trusted, counted from us', async (t) => {
    t.equal(await addressBehind(1, '1.1.1.1, 2.2.2.2'), '2.2.2.2')
    t.equal(await addressBehind(2, '1.1.1.1, 2.2.2.2'), '1.1.1.1')
  })

  await t.test('is told by the proxies that are named', async (t) => {
    t.equal(await addressBehind(['127.0.0.1', '2.2.2.0/24'], '1.1.1.1, 2.2.2.2'), '1.1.1.1')
    t.equal(await addressBehind(['10.0.0.0/8'], '1.1.1.1'), '127.0.0.1')
  })
})

void t.test('closing', async (t) => {
  await t.test('serves what came on an open connection, and ends it after that', async (t) => {
    const { promise: opened, resolve: open } = Promise.withResolvers<void>()
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
    const { app } = await createReceiver(t, {
      inbox: (steps) => ({
        insert: async (rows) => {
          reach()
          await opened
          return steps.insert(rows)
        },
      }),
    })
    const socket = connect(await listenOnFreePort(app), '127.0.0.1')
    const push = (id: string): Buffer => {
      const body = JSON.stringify(activity(id))
      const headers = { 'x-api-key': KEY, 'content-type': 'application/json', 'content-length': String(body.length) }
      return rawPost('/activities', headers, body)
    }
    const answers = readAnswers(socket)
    socket.write(push('first'))
    await reached

    const closing = app.close()
    socket.write(push('second'))
    open()

    t.match(await answers, [
      { status: 201, body: /first/ },
      { status: 201, body: /second/, headers: { connection: 'close' } },
    ])
    await closing
  })
})
