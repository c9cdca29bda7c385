import t from 'tap'
import { createHoldOffs } from '../src/hold-offs.ts'
import { createHttpClient } from '../src/http-client.ts'
import { createListeningLogger } from './deliver/delivery-fixture.ts'
import { sendJson, serve } from './support/local-server.ts'

const http = createHttpClient()
t.teardown(() => http.close())

function setUp(share: (connection: string, forMs: number) => Promise<unknown> = async () => {}) {
  const { logger, lines } = createListeningLogger()
  const shared: unknown[] = []
  let nowMs = 1_000_000
  const holdOffs = createHoldOffs({
    kind: 'deliver',
    clock: { now: () => nowMs },
    logger,
    share: (connection, forMs) => {
      shared.push([connection, forMs])
      return share(connection, forMs)
    },
  })
  return { holdOffs, shared, lines, pass: (ms: number) => void (nowMs += ms) }
}

void t.test('createHoldOffs', async (t) => {
  await t.test('holds one connection until its time is over, and tells the others once', async (t) => {
    const { holdOffs, shared, pass } = setUp()
    holdOffs.hold('acme', 4_000)
    pass(1_000)

    t.equal(holdOffs.remainingMs('acme'), 3_000)
    t.equal(holdOffs.nextEndMs(), 3_000)
    t.equal(holdOffs.remainingMs('other'), 0)

    pass(3_000)
    t.equal(holdOffs.remainingMs('acme'), 0)
    t.equal(holdOffs.nextEndMs(), Infinity)
    t.strictSame(shared, [['acme', 4_000]])
  })

  await t.test('tells nobody what is known: a shorter wait, or the same moment told by another answer', async (t) => {
    const { holdOffs, shared } = setUp()
    for (const forMs of [8_000, 3_000, 8_400, 0, 20_000]) holdOffs.hold('acme', forMs)

    t.equal(holdOffs.remainingMs('acme'), 20_000)
    t.strictSame(shared, [
      ['acme', 8_000],
      ['acme', 20_000],
    ])
  })

  await t.test('waits no longer than an hour, whatever is wished', async (t) => {
    const { holdOffs } = setUp()
    holdOffs.hold('acme', 31_536_000_000)

    t.equal(holdOffs.remainingMs('acme'), 3_600_000)
  })

  await t.test('holds here where the others could not be told', async (t) => {
    const { holdOffs, lines } = setUp(() => Promise.reject(new Error('away')))
    holdOffs.hold('acme', 4_000)
    await new Promise(setImmediate)

    t.equal(holdOffs.remainingMs('acme'), 4_000)
    t.match(lines, [{ event: 'connection.held_off' }, { event: 'connection.hold_off_unshared' }])
  })

  await t.test('hears what the answers to a connection’s calls say, and leaves them as they are', async (t) => {
    const { holdOffs } = setUp()
    const server = await serve(t, (response) => sendJson(response, 201, { id: 'T-1' }, { ratelimit: '"d";r=0;t=9' }))
    const watched = holdOffs.watch(http, 'acme')

    const answer = await watched.request({ method: 'GET', url: server.origin, timeoutMs: 5_000, maxResponseBytes: 100 })

    t.match(answer, { status: 201, body: '{"id":"T-1"}' })
    t.equal(holdOffs.remainingMs('acme'), 9_000)
  })
})
