import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { AppError } from '../../src/errors.ts'
import { registerHealthRoutes } from '../../src/ops/health.ts'
import type { HealthDeps, HealthOptions } from '../../src/ops/health.ts'
import { createHealth } from './ops-fixture.ts'

function createApp(t: Test, overrides: Partial<HealthDeps> = {}, options: HealthOptions = {}) {
  const app = fastify()
  t.teardown(() => app.close())
  registerHealthRoutes(app, { ...createHealth(), ...overrides }, options)
  return app
}

const broken = { name: 'database', check: async () => 'the database cannot be reached' }
const stuck = { name: 'report', fault: () => 'connect ECONNREFUSED 10.0.0.7:5432' }

void t.test('GET /livez', async (t) => {
  await t.test('answers 200 whatever else is broken', async (t) => {
    const app = createApp(t, { checks: [broken], services: [stuck], isDraining: () => true })

    const answer = await app.inject('/livez')

    t.equal(answer.statusCode, 200)
    t.same(answer.json(), { status: 'alive' })
    t.equal(answer.headers['cache-control'], 'no-store')
  })
})

void t.test('GET /readyz', async (t) => {
  await t.test('answers 200 while every check holds, and is not moved by a service at fault', async (t) => {
    const app = createApp(t, { checks: [{ name: 'database', check: () => undefined }], services: [stuck] })

    const answer = await app.inject('/readyz')

    t.equal(answer.statusCode, 200)
    t.same(answer.json(), { status: 'ready' })
  })

  await t.test('answers 503 when one check fails, and lists each when asked', async (t) => {
    const app = createApp(t, { checks: [{ name: 'worker', check: () => undefined }, broken] })

    const answer = await app.inject('/readyz?verbose')

    t.equal(answer.statusCode, 503)
    t.same(answer.json(), {
      status: 'not_ready',
      checks: [
        { name: 'draining', ok: true },
        { name: 'worker', ok: true },
        { name: 'database', ok: false, message: 'the database cannot be reached' },
      ],
    })
  })

  await t.test('answers 503 while draining', async (t) => {
    const app = createApp(t, { isDraining: () => true })

    t.equal((await app.inject('/readyz')).statusCode, 503)
  })

  await t.test('keeps the words of an unexpected error to itself', async (t) => {
    const check = () => Promise.reject(new Error('password authentication failed for user "receiver"'))
    const app = createApp(t, { checks: [{ name: 'database', check }] })

    const answer = await app.inject('/readyz?verbose')

    t.equal(answer.statusCode, 503)
    t.equal(answer.json().checks[1].message, 'could not be checked')
    t.notMatch(answer.body, /password/)
  })

  await t.test('passes on what an error of the catalogue says', async (t) => {
    const check = () => Promise.reject(new AppError('RCV_DATABASE_UNAVAILABLE', 'the database cannot be reached'))
    const app = createApp(t, { checks: [{ name: 'database', check }] })

    t.equal((await app.inject('/readyz?verbose')).json().checks[1].message, 'the database cannot be reached')
  })

  // The bound is 2 s and no clock can be handed in: it is a real wait for a check that hangs.
  await t.test('does not wait for a check that gives no answer', async (t) => {
    const app = createApp(t, { checks: [{ name: 'database', check: () => new Promise<undefined>(() => {}) }] })

    const answer = await app.inject('/readyz?verbose')

    t.equal(answer.statusCode, 503)
    t.match(answer.json().checks[1].message, /no answer within 2000 ms/)
  })
})

void t.test('GET /health', async (t) => {
  await t.test('sums up a service in which all is well', async (t) => {
    const app = createApp(t, { services: [{ name: 'deliver', fault: () => undefined }] })

    const answer = await app.inject('/health')

    t.equal(answer.statusCode, 200)
    t.same(answer.json(), {
      status: 'ok',
      version: '1.2.3',
      uptimeSeconds: 60,
      checks: [{ name: 'draining', ok: true }],
      services: [{ name: 'deliver', ok: true }],
    })
  })

  await t.test('answers 503 and degraded where a service is at fault', async (t) => {
    const answer = await createApp(t, { services: [stuck] }).inject('/health')

    t.equal(answer.statusCode, 503)
    t.equal(answer.json().status, 'degraded')
  })

  await t.test('answers 503 and not_ready where a check fails', async (t) => {
    const answer = await createApp(t, { checks: [broken] }).inject('/health')

    t.equal(answer.statusCode, 503)
    t.equal(answer.json().status, 'not_ready')
  })

  await t.test("shows a service's own words to operators alone", async (t) => {
    const world = await createApp(t, { services: [stuck] }).inject('/health')
    const operators = await createApp(t, { services: [stuck] }, { showsFaults: true }).inject('/health')

    t.notMatch(world.body, /10\.0\.0\.7/)
    t.equal(operators.json().services[0].message, 'connect ECONNREFUSED 10.0.0.7:5432')
  })

  await t.test('tells operators, and nobody else, which connections are paused and why', async (t) => {
    const pausedConnections = () => [{ name: 'acme', reason: 'YOM moves house' }]
    const world = await createApp(t, { pausedConnections }).inject('/health')
    const operators = await createApp(t, { pausedConnections }, { showsFaults: true }).inject('/health')

    t.notMatch(world.body, /acme|YOM/)
    t.match(operators.json(), { status: 'ok', pausedConnections: [{ name: 'acme', reason: 'YOM moves house' }] })
  })
})
