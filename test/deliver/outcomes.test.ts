// What a provider's answers lead to, by a real worker against a real server: when a delivery is tried again, how often, and what
// happens where nobody knows whether it was done.
import type { ServerResponse } from 'node:http'
import t from 'tap'
import type { Test } from 'tap'
import { rescueJobs } from '../../src/store/rescue-jobs.ts'
import {
  claimOne,
  clearLedger,
  expireLeases,
  makeAllDue,
  openLedger,
  readStory,
  secondsUntil,
  storeDispatch,
  tells,
} from '../support/ledger.ts'
import { sendJson, serve, serveBytes } from '../support/local-server.ts'
import type { Answerer, LocalServer } from '../support/local-server.ts'
import { createWorkerBench, setProvider } from './worker-fixture.ts'

const { db } = await openLedger(t)

/** Dates are whole seconds, and a try takes its time. */
const LEEWAY_SECONDS = 3
/** Made when it is sent: the cases before it take their time. */
const inSeconds = (seconds: number) => (): string => new Date(Date.now() + seconds * 1_000).toUTCString()
type Wish = string | readonly string[] | undefined | (() => string)

/** One delivery to a webhook that answers so; how long the job waits then. */
async function tryOnce(
  t: Test,
  answer: Answerer,
  options: { settings?: Readonly<Record<string, unknown>>; random?: () => number } = {},
) {
  const provider = await serve(t, answer)
  const settings = options.settings ?? { retry_delays: [20, 30] }
  await setProvider(db, { provider: 'webhook', providerSettings: { url: provider.origin }, settings })
  const id = await storeDispatch(db)
  const { worker } = await createWorkerBench(t, db, options.random)
  await worker.runOnce()
  const { job } = await readStory(db, id)
  return { job, seconds: await secondsUntil(db, job?.due_at ?? new Date(Number.NaN)) }
}

t.test('a delivery is tried again', async (t) => {
  const busy = (status: number, wish: Wish) => (response: ServerResponse) => {
    const retryAfter = typeof wish === 'function' ? wish() : wish
    if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter)
    response.writeHead(status).end()
  }
  // 20 s and 30 s are the connection's steps; a wish only lengthens the first one, and never beyond the longest.
  const cases: readonly (readonly [what: string, status: 503 | 429, value: Wish, seconds: number])[] = [
    ['by the table without a wish', 503, undefined, 20],
    ['as late as seconds say', 503, '25', 25],
    ['as late as a date says', 503, inSeconds(28), 28],
    ['by the table where the wish is shorter', 503, '0', 20],
    ['by the table where the date has passed', 503, inSeconds(-3_600), 20],
    ['no later than the longest step where the date is in 2099', 503, 'Mon, 04 May 2099 12:00:00 GMT', 30],
    ['by the table where the wish is negative', 503, '-5', 20],
    ['by the table where the wish is a word', 503, 'soon', 20],
    ['as late as the longest of several wishes', 503, ['5', '27'], 27],
    ['after a few seconds when asked to slow down', 429, undefined, 5.5],
    ['as late as seconds say when asked to slow down', 429, '12', 13.2],
    ['after a second at least when asked to slow down until a date that has passed', 429, inSeconds(-3_600), 1.1],
    ['no later than the longest step when asked to slow down until 2099', 429, 'Mon, 04 May 2099 12:00:00 GMT', 33],
    ['after a few seconds when asked to slow down in words nobody knows', 429, 'NaN', 5.5],
  ]
  for (const [what, status, value, expected] of cases) {
    t.test(`${what} (${status})`, async (t) => {
      const { job, seconds } = await tryOnce(t, busy(status, value))

      t.ok(seconds <= expected && seconds > expected - LEEWAY_SECONDS, `in ${seconds} s where ${expected} s are right`)
      t.equal(job?.attempts, status === 503 ? 1 : 0, 'only what is the provider’s fault is counted')
    })
  }

  t.test('a fifth sooner or later than the table says, so that a burst does not come back as one', async (t) => {
    const sooner = await tryOnce(t, busy(503, undefined), { random: () => 0 })
    await clearLedger(db)
    const later = await tryOnce(t, busy(503, undefined), { random: () => 1 })

    t.ok(sooner.seconds <= 16 && sooner.seconds > 16 - LEEWAY_SECONDS)
    t.ok(later.seconds <= 24 && later.seconds > 24 - LEEWAY_SECONDS)
  })

  t.test('after two seconds first where the connection says nothing', async (t) => {
    const { seconds } = await tryOnce(t, busy(503, undefined), { settings: {} })

    t.ok(seconds <= 2 && seconds > 2 - LEEWAY_SECONDS)
  })

  t.test('as often as its connection says, and then given up', async (t) => {
    const provider = await serve(t, busy(503, undefined))
    const settings = { retry_delays: [20, 30] }
    await setProvider(db, { provider: 'webhook', providerSettings: { url: provider.origin }, settings })
    const id = await storeDispatch(db)
    const { worker } = await createWorkerBench(t, db)

    for (let round = 0; round < 5; round += 1) {
      await makeAllDue(db)
      await worker.runOnce()
    }

    t.equal(provider.received.length, 3)
    tells(t, await readStory(db, id), { dispatch: { state: 'failed', reason_code: 'gave_up' }, attempts: [{}, {}, {}] })
  })
})

/** A YOM that knows keys, finds tasks by their external id, or neither; `loses` says of which answers nothing comes back. */
async function serveTasks(
  t: Test,
  knows: 'key' | 'lookup' | 'none',
  loses: (number: number) => 'before' | 'after' | undefined,
) {
  const tasks: { readonly id: string; readonly externalId: unknown }[] = []
  let posts = 0
  const server = await serve(t, (response, { method, path, body, headers }) => {
    const externalId = headers['idempotency-key'] ?? new URL(path, 'http://yom').searchParams.get('externalId')
    const known = tasks.filter((task) => task.externalId === externalId)
    if (method === 'GET') return sendJson(response, 200, { data: knows === 'lookup' ? known : [] })
    posts += 1
    const lost = loses(posts)
    if (lost === 'before') return response.destroy()
    if (knows !== 'key' || known.length === 0) {
      tasks.push({ id: `T-${tasks.length + 1}`, externalId: (JSON.parse(body) as { externalId: unknown }).externalId })
    }
    if (lost === 'after') return response.destroy()
    return sendJson(response, 201, { id: tasks.at(-1)?.id })
  })
  return { server, tasks }
}

async function useYom({ origin }: LocalServer | { origin: string }, idempotency: string): Promise<void> {
  await setProvider(db, {
    provider: 'yom',
    providerSettings: { base_url: origin, idempotency },
    secrets: { api_key: 'hush-hush-hush' },
    settings: { retry_delays: [1, 1, 1] },
  })
}

t.test('a delivery whose answer was lost', async (t) => {
  for (const lost of ['before', 'after'] as const) {
    t.test(`${lost} the work is repeated under the same key, where the provider knows keys`, async (t) => {
      const { server, tasks } = await serveTasks(t, 'key', (number) => (number === 1 ? lost : undefined))
      await useYom(server, 'key')
      const id = await storeDispatch(db)
      const { worker } = await createWorkerBench(t, db)

      await worker.runOnce()
      t.match((await readStory(db, id)).job, { is_fate_unknown: true, attempts: 1 })
      await makeAllDue(db)
      await worker.runOnce()

      t.equal(tasks.length, 1)
      const keys = server.received.map(({ headers }) => headers['idempotency-key'])
      t.strictSame(keys, [id, id])
      t.match((await readStory(db, id)).dispatch, { state: 'delivered', provider_task_id: 'T-1' })
    })

    t.test(`${lost} the work is searched for before anything is repeated, where it can be`, async (t) => {
      const { server, tasks } = await serveTasks(t, 'lookup', (number) => (number === 1 ? lost : undefined))
      await useYom(server, 'lookup')
      const id = await storeDispatch(db)
      const { worker } = await createWorkerBench(t, db)

      await worker.runOnce()
      await makeAllDue(db)
      await worker.runOnce()

      const methods = server.received.map(({ method }) => method)
      t.strictSame(methods, lost === 'after' ? ['POST', 'GET'] : ['POST', 'GET', 'POST'])
      t.equal(tasks.length, 1)
      t.match((await readStory(db, id)).dispatch, { state: 'delivered', provider_task_id: 'T-1' })
    })

    t.test(`${lost} the work waits for a person, where nobody can tell`, async (t) => {
      const { server } = await serveTasks(t, 'none', () => lost)
      await useYom(server, 'none')
      const id = await storeDispatch(db)
      const { worker } = await createWorkerBench(t, db)

      await worker.runOnce()
      await makeAllDue(db)
      await worker.runOnce()

      t.equal(server.received.length, 1)
      t.match((await readStory(db, id)).job, { parked_reason: 'connection_lost', is_fate_unknown: true })
    })
  }

  t.test('is not searched for at once: what is under way may not be there yet', async (t) => {
    const { server } = await serveTasks(t, 'lookup', () => 'after')
    await useYom(server, 'lookup')
    const id = await storeDispatch(db)
    const { worker } = await createWorkerBench(t, db)

    await worker.runOnce()

    const seconds = await secondsUntil(db, (await readStory(db, id)).job?.due_at ?? new Date(Number.NaN))
    t.ok(seconds <= 10 && seconds > 10 - LEEWAY_SECONDS, `in ${seconds} s`)
  })
})

t.test('a claim that expired unsettled', async (t) => {
  const expected = {
    key: { methods: ['POST'], job: undefined },
    lookup: { methods: ['GET', 'POST'], job: undefined },
    none: { methods: [], job: { parked_reason: 'fate_unknown' } },
  } as const
  for (const idempotency of ['key', 'lookup', 'none'] as const) {
    t.test(`is of unknown fate, where the provider’s way is ${idempotency}`, async (t) => {
      const { server } = await serveTasks(t, idempotency, () => undefined)
      await useYom(server, idempotency)
      const id = await storeDispatch(db)
      await claimOne(db, 'deliver', { worker: 'worker-b' })
      await expireLeases(db)
      await rescueJobs(db)
      const { worker } = await createWorkerBench(t, db)

      await makeAllDue(db)
      await worker.runOnce()

      const { methods, job } = expected[idempotency]
      t.strictSame(
        server.received.map(({ method }) => method),
        methods,
      )
      const story = await readStory(db, id)
      if (job === undefined) t.match(story.dispatch, { state: 'delivered' })
      else t.match(story.job, job)
    })
  }
})

t.test('whatever bytes come, the delivery is settled and can be looked at', async (t) => {
  const answers: readonly (readonly [bytes: Buffer, pattern: object])[] = [
    [Buffer.from('HTTP/1.1 422 No\r\n\r\n{"message":"no\\u0000pe\\n"}'), { dispatch: { state: 'failed' } }],
    [
      Buffer.concat([Buffer.from('HTTP/1.1 400 No\r\n\r\n'), Buffer.from([0, 0xff, 0xc3, 0x28])]),
      { dispatch: { state: 'failed' } },
    ],
    [
      Buffer.from('HTTP/1.1 201 Yes\r\n\r\n{"id":"T-\\u00001"}'),
      { dispatch: { state: 'delivered', provider_task_id: null } },
    ],
    [Buffer.from(`HTTP/1.1 500 Oh\r\n\r\n${'\0x'.repeat(50_000)}`), { job: { is_fate_unknown: true } }],
  ]
  for (const [number, [bytes, pattern]] of answers.entries()) {
    await useYom({ origin: await serveBytes(t, (socket) => socket.end(bytes)) }, 'key')
    const id = await storeDispatch(db, `A-${number}`)
    const { worker } = await createWorkerBench(t, db)

    await worker.runOnce()

    const story = await readStory(db, id)
    t.match(story, pattern)
    t.ok(Buffer.byteLength(story.attempts[0]?.response_excerpt ?? '') <= 4_096)
    t.notOk(story.job?.leased_until)
  }
})
