import t from 'tap'
import type { Test } from 'tap'
import { createYomAdapter } from '../../../src/deliver/adapters/yom.ts'
import { sendJson, serve, serveBytes } from '../../support/local-server.ts'
import type { Answerer, LocalServer } from '../../support/local-server.ts'
import { NOW_MS, buildCommand, buildInput, createTestClock, patience } from './adapter-fixture.ts'

const GRANT_PATH = '/api/v2/auth/tokens/grant'
const CLIENT_SECRET = 'client-secret-1234'

/** A JWT in form; nobody checks its signature. */
const buildJwt = (claims: Readonly<Record<string, unknown>>): string =>
  ['{"alg":"HS256"}', JSON.stringify(claims)].map((part) => Buffer.from(part).toString('base64url')).join('.') + '.sig'

const secondsFromNow = (seconds: number): number => NOW_MS / 1_000 + seconds

/** A provider with a token endpoint of its own; `grants` counts the tokens it was asked for. */
const serveWithGrants = async (t: Test, onGrant: Answerer, onTask: Answerer) => {
  let grants = 0
  let tasks = 0
  const provider = await serve(t, (response, request) => {
    if (request.path === GRANT_PATH) onGrant(response, request, (grants += 1))
    else onTask(response, request, (tasks += 1))
  })
  return { provider, grants: () => grants, tasks: () => tasks }
}

const open = (t: Test, provider: Pick<LocalServer, 'origin'>, clock = createTestClock(), timeoutMs = 5_000) => {
  const adapter = createYomAdapter(
    buildInput(t, {
      settings: { base_url: `${provider.origin}/api/v2/`, timeout_ms: timeoutMs },
      secrets: { client_id: 'client-1', client_secret: CLIENT_SECRET },
      clock,
    }),
  )
  t.teardown(() => adapter.close())
  return adapter
}

const accept: Answerer = (response) => sendJson(response, 201, { internalTaskId: 'T-1' })
const grantNumbered: Answerer = (response, _request, number) =>
  sendJson(response, 200, { accessToken: buildJwt({ exp: secondsFromNow(3_600), number }) })
const bearerOf = (server: LocalServer): readonly (string | undefined)[] =>
  server.received.filter(({ path }) => path !== GRANT_PATH).map(({ headers }) => headers.authorization)

t.test('createYomTokens', async (t) => {
  t.test('asks with client credentials as JSON and sends the token as a bearer token', async (t) => {
    const accessToken = buildJwt({ exp: secondsFromNow(3_600) })
    const { provider } = await serveWithGrants(t, (response) => sendJson(response, 200, { accessToken }), accept)

    const outcome = await open(t, provider).deliver(buildCommand(), patience())

    t.match(outcome, { kind: 'accepted', providerTaskId: 'T-1' })
    const [grant] = provider.received
    t.match(grant, { method: 'POST', path: GRANT_PATH, headers: { 'content-type': 'application/json' } })
    t.same(JSON.parse(grant?.body ?? ''), {
      client_id: 'client-1',
      client_secret: CLIENT_SECRET,
      grant_type: 'client_credentials',
    })
    t.same(bearerOf(provider), [`Bearer ${accessToken}`])
  })

  t.test('asks once for deliveries that wait together', async (t) => {
    const { provider, grants, tasks } = await serveWithGrants(t, grantNumbered, accept)
    const adapter = open(t, provider)

    await Promise.all(Array.from({ length: 5 }, () => adapter.deliver(buildCommand(), patience())))

    t.equal(grants(), 1)
    t.equal(tasks(), 5)
  })

  t.test('keeps a token until a minute before it expires', async (t) => {
    const { provider, grants } = await serveWithGrants(t, grantNumbered, accept)
    const clock = createTestClock()
    const adapter = open(t, provider, clock)

    await adapter.deliver(buildCommand(), patience())
    clock.nowMs = NOW_MS + 3_539_000
    await adapter.deliver(buildCommand(), patience())
    t.equal(grants(), 1)

    clock.nowMs = NOW_MS + 3_540_000
    await adapter.deliver(buildCommand(), patience())
    t.equal(grants(), 2)
  })

  t.test('counts the life of a token from when it was made, whatever the two clocks say', async (t) => {
    const claims = { iat: secondsFromNow(-7_200), exp: secondsFromNow(-3_600) }
    const { provider, grants } = await serveWithGrants(
      t,
      (response) => sendJson(response, 200, { accessToken: buildJwt(claims) }),
      accept,
    )
    const adapter = open(t, provider)

    await adapter.deliver(buildCommand(), patience())
    await adapter.deliver(buildCommand(), patience())

    t.equal(grants(), 1)
  })

  t.test('keeps a token that says nothing of its life for five minutes', async (t) => {
    for (const accessToken of ['opaque-token', buildJwt({}), buildJwt({ exp: 'soon' })]) {
      const { provider, grants } = await serveWithGrants(
        t,
        (response) => sendJson(response, 200, { accessToken }),
        accept,
      )
      const clock = createTestClock()
      const adapter = open(t, provider, clock)

      await adapter.deliver(buildCommand(), patience())
      clock.nowMs = NOW_MS + 299_000
      await adapter.deliver(buildCommand(), patience())
      t.equal(grants(), 1)

      clock.nowMs = NOW_MS + 300_000
      await adapter.deliver(buildCommand(), patience())
      t.equal(grants(), 2)
    }
  })

  t.test('gets a fresh token once when the old one is refused', async (t) => {
    const { provider, grants } = await serveWithGrants(t, grantNumbered, (response, request, number) => {
      if (number === 1) sendJson(response, 401, { name: 'TokenExpiredError', message: 'jwt expired' })
      else accept(response, request, number)
    })

    const outcome = await open(t, provider).deliver(buildCommand(), patience())

    t.match(outcome, { kind: 'accepted', providerTaskId: 'T-1' })
    t.equal(grants(), 2)
    t.equal(new Set(bearerOf(provider)).size, 2)
  })

  t.test('is unauthorized when the fresh token is refused too', async (t) => {
    const { provider, grants, tasks } = await serveWithGrants(t, grantNumbered, (response) =>
      sendJson(response, 401, { errorCode: 'AU4010', message: 'no' }),
    )

    const outcome = await open(t, provider).deliver(buildCommand(), patience())

    t.match(outcome, { kind: 'unauthorized', code: 'http_401', message: /AU4010/ })
    t.same([grants(), tasks()], [2, 2])
  })

  t.test('replaces a refused token once for all deliveries that held it', async (t) => {
    let refused = ''
    const { provider, grants } = await serveWithGrants(t, grantNumbered, (response, request, number) => {
      const { authorization = '' } = request.headers
      if (refused === '') refused = authorization
      if (authorization === refused) sendJson(response, 401, {})
      else accept(response, request, number)
    })
    const adapter = open(t, provider)

    const outcomes = await Promise.all(Array.from({ length: 4 }, () => adapter.deliver(buildCommand(), patience())))

    t.same(
      outcomes.map(({ kind }) => kind),
      ['accepted', 'accepted', 'accepted', 'accepted'],
    )
    t.equal(grants(), 2)
  })

  t.test('sends no task without a token, and says why', async (t) => {
    const page: Answerer = (response) => response.writeHead(404).end('<html>')
    const answers: readonly (readonly [when: string, answer: Answerer, expected: object])[] = [
      ['401', (r) => sendJson(r, 401, { message: 'no' }), { kind: 'unauthorized', code: 'token_http_401' }],
      ['400', (r) => sendJson(r, 400, { message: 'no' }), { kind: 'unauthorized', code: 'token_http_400' }],
      ['403', (r) => sendJson(r, 403, {}), { kind: 'unauthorized', code: 'token_http_403' }],
      ['301', (r) => r.writeHead(301).end(), { kind: 'retry', code: 'token_http_redirect' }],
      ['404', page, { kind: 'retry', code: 'token_http_404' }],
      ['429', (r) => sendJson(r, 429, {}, { 'retry-after': '3' }), { kind: 'throttled', retryAfterMs: 3_000 }],
      ['500', (r) => sendJson(r, 500, {}), { kind: 'retry', code: 'token_http_500' }],
      ['503', (r) => sendJson(r, 503, {}, { 'retry-after': '3' }), { kind: 'retry', retryAfterMs: 3_000 }],
      ['no token', (r) => sendJson(r, 200, { access_token: 'x' }), { kind: 'retry', code: 'token_unreadable' }],
      ['a token with a line end', (r) => sendJson(r, 200, { accessToken: 'a\nb' }), { code: 'token_unreadable' }],
      ['garbage', (r) => r.end('<html>'), { kind: 'retry', code: 'token_unreadable' }],
      ['a lost connection', (r) => r.destroy(), { kind: 'retry', code: 'token_connection_lost' }],
    ]
    for (const [when, answer, expected] of answers) {
      const { provider, tasks } = await serveWithGrants(t, answer, accept)

      t.match(await open(t, provider).deliver(buildCommand(), patience()), expected, when)
      t.equal(tasks(), 0, when)
    }
  })

  t.test('asks again after a grant that came to nothing', async (t) => {
    const { provider } = await serveWithGrants(
      t,
      (response, request, number) =>
        number === 1 ? sendJson(response, 500, {}) : grantNumbered(response, request, number),
      accept,
    )
    const adapter = open(t, provider)

    t.match(await adapter.deliver(buildCommand(), patience()), { kind: 'retry' })
    t.match(await adapter.deliver(buildCommand(), patience()), { kind: 'accepted' })
  })

  t.test('spends no more than the whole time on token and task', async (t) => {
    const clock = createTestClock()
    const { provider, tasks } = await serveWithGrants(
      t,
      (response, request, number) => {
        clock.nowMs += 5_000
        grantNumbered(response, request, number)
      },
      accept,
    )

    const outcome = await open(t, provider, clock).deliver(buildCommand(), patience())

    t.match(outcome, { kind: 'retry', code: 'token_timeout' })
    t.equal(tasks(), 0)
  })

  t.test('is retry when the token endpoint is silent', async (t) => {
    const origin = await serveBytes(t, () => undefined)

    const outcome = await open(t, { origin }, createTestClock(), 150).deliver(buildCommand(), patience())

    t.match(outcome, { kind: 'retry', code: 'token_timeout' })
  })

  t.test('ends one delivery that is given up without ending the grant for another', async (t) => {
    const giveUp = new AbortController()
    const asked = Promise.withResolvers<() => void>()
    const { provider } = await serveWithGrants(
      t,
      (response, request, number) => asked.resolve(() => grantNumbered(response, request, number)),
      accept,
    )
    const adapter = open(t, provider)
    const impatient = adapter.deliver(buildCommand(), giveUp.signal)
    const patient = adapter.deliver(buildCommand(), patience())
    const grant = await asked.promise

    giveUp.abort()
    t.match(await impatient, { kind: 'retry', code: 'token_aborted' })
    grant()

    t.match(await patient, { kind: 'accepted' })
  })

  t.test('ends a grant under way when the adapter closes', async (t) => {
    const asked = Promise.withResolvers<void>()
    const { provider } = await serveWithGrants(t, () => asked.resolve(), accept)
    const adapter = open(t, provider)
    const delivery = adapter.deliver(buildCommand(), patience())
    await asked.promise

    await adapter.close()

    t.match(await delivery, { kind: 'retry', code: 'token_aborted' })
  })

  t.test('shows neither secrets nor tokens', async (t) => {
    const accessToken = buildJwt({ exp: secondsFromNow(3_600) })
    const echo: Answerer = (response, { headers, body }) =>
      sendJson(response, 400, { message: `${headers.authorization} ${body}`, secret: CLIENT_SECRET })
    const refused = await serveWithGrants(t, echo, accept)
    const granted = await serveWithGrants(t, (response) => sendJson(response, 200, { accessToken }), echo)

    for (const { provider } of [refused, granted]) {
      const shown = JSON.stringify(await open(t, provider).deliver(buildCommand(), patience()))
      t.notMatch(shown, CLIENT_SECRET)
      t.notMatch(shown, accessToken)
    }
  })
})
