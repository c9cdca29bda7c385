import t from 'tap'
import type { InjectOptions } from 'fastify'
import { createOpsFixture, TOKENS } from './ops-fixture.ts'

const LIST: InjectOptions = { method: 'GET', url: '/admin/dispatches' }

void t.test('guardAdminRoutes', async (t) => {
  const { app, ask, metrics } = await createOpsFixture(t)

  await t.test('lets in whoever brings a configured token', async (t) => {
    for (const role of ['viewer', 'operator', 'admin'] as const) t.equal((await ask(role, LIST)).statusCode, 200, role)
  })

  await t.test('refuses a missing, a wrong and a malformed token with 401', async (t) => {
    for (const authorization of ['', 'Bearer', 'Bearer nope', TOKENS.admin.token, `Basic ${TOKENS.admin.token}`]) {
      const answer = await app.inject({ ...LIST, headers: { authorization } })

      t.equal(answer.statusCode, 401, authorization)
      t.equal(answer.json().code, 'RCV_UNAUTHORIZED')
    }
    t.match(await metrics.expose(), /auth_failures_total\{route="\/admin\/dispatches"\} 5/)
  })

  await t.test('refuses a token before it reads the body', async (t) => {
    const answer = await app.inject({
      method: 'POST',
      url: '/admin/connections',
      headers: { 'content-type': 'application/json' },
      body: '{ not json',
    })

    t.equal(answer.statusCode, 401)
  })

  await t.test('refuses a role that is too low with 403, naming both roles', async (t) => {
    const replay: InjectOptions = { method: 'POST', url: '/admin/dispatches/x/replay', body: { reason: 'why' } }
    const pause: InjectOptions = { method: 'POST', url: '/admin/connections/acme/pause', body: { reason: 'why' } }

    const asViewer = await ask('viewer', replay)
    const asOperator = await ask('operator', pause)

    t.equal(asViewer.statusCode, 403)
    t.match(asViewer.json(), { code: 'RCV_FORBIDDEN', message: 'this takes the role operator; vera is viewer' })
    t.equal(asOperator.statusCode, 403)
    t.equal(asOperator.json().code, 'RCV_FORBIDDEN')
  })

  await t.test('leaves metrics and health open', async (t) => {
    for (const url of ['/metrics', '/livez', '/readyz', '/health'])
      t.equal((await app.inject(url)).statusCode, 200, url)
  })

  await t.test('never answers with the request id a caller sends', async (t) => {
    const answer = await app.inject({ ...LIST, headers: { 'x-request-id': 'mine', 'request-id': 'mine' } })

    t.match(answer.json().requestId, /^[0-9a-f-]{36}$/)
  })
})

void t.test('guardAdminRoutes without any token configured', async (t) => {
  const { ask } = await createOpsFixture(t, { adminTokens: [] })

  await t.test('refuses everything with 403', async (t) => {
    const answer = await ask('admin', LIST)

    t.equal(answer.statusCode, 403)
    t.equal(answer.json().code, 'RCV_ADMIN_DISABLED')
  })
})
