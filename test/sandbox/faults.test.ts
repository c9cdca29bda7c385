import t, { type Test } from 'tap'
import { requestFaults } from '../../src/sandbox/fault-kinds.ts'
import { createFaults, type Fault } from '../../src/sandbox/faults.ts'
import { startYomSandbox, type YomSandbox } from '../../src/sandbox/start-yom-sandbox.ts'
import { callJson, type JsonReply } from './call-json.ts'

const keys = Array.from({ length: 200 }, (_, index) => `task-${index}`)

t.test('createFaults', async (t) => {
  t.test('draws alike for the same seed in whatever order requests come', async (t) => {
    const forwards = createFaults(7, { profile: 'storm' })
    const backwards = createFaults(7, { profile: 'storm' })

    const drawn = new Map(keys.map((key) => [key, forwards.draw('tasks', key)?.kind]))
    const drawnAgain = new Map(keys.toReversed().map((key) => [key, backwards.draw('tasks', key)?.kind]))

    for (const key of keys) t.equal(drawnAgain.get(key), drawn.get(key))
    t.ok(new Set(drawn.values()).size > 5, 'and not always the same')
  })

  t.test('draws differently for another seed', async (t) => {
    const one = createFaults(1, { profile: 'storm' })
    const other = createFaults(2, { profile: 'storm' })

    t.notSame(
      keys.map((key) => one.draw('tasks', key)?.kind),
      keys.map((key) => other.draw('tasks', key)?.kind),
    )
  })

  t.test('leaves a key alone after the most faults it may meet', async (t) => {
    const faults = createFaults(1, { odds: { tasks: { error_before: 1 } }, mostPerKey: 3 })

    const drawn = Array.from({ length: 10 }, () => faults.draw('tasks', 'same')?.kind)

    t.strictSame(drawn.filter((kind) => kind !== undefined).length, 3)
  })

  t.test('meets scripted faults first, in order', async (t) => {
    const faults = createFaults(1)
    faults.script('results', ['lost_after', 'none', 'throttled'])

    const drawn = Array.from({ length: 4 }, () => faults.draw('results', 'any')?.kind)

    t.strictSame(drawn, ['lost_after', undefined, 'throttled', undefined])
    t.strictSame(faults.counts(), { 'results.lost_after': 1, 'results.throttled': 1 })
  })

  t.test('draws nothing without a profile', async (t) => {
    const faults = createFaults(1)

    t.ok(keys.every((key) => faults.draw('tasks', key) === undefined))
  })
})

const sendTask = (yom: YomSandbox): Promise<JsonReply> =>
  callJson(`${yom.url}/activities`, {
    headers: { 'x-api-key': yom.credentials.apiKey, 'idempotency-key': 'k-1' },
    body: { externalId: 'e-1', commerceId: 'C-1' },
  })

t.test('answerWithFault', async (t) => {
  const startStruckBy = async (t: Test, kind: Fault['kind']): Promise<YomSandbox> => {
    const yom = await startYomSandbox({ port: 0, slowMs: 20, switches: { completion: 'none' } })
    t.teardown(() => yom.close())
    yom.faults.script('tasks', [kind])
    return yom
  }

  t.test('does nothing before it resets a connection, answers 500 or throttles', async (t) => {
    for (const kind of ['reset_before', 'error_before', 'throttled', 'throttled_seconds', 'throttled_date'] as const) {
      const yom = await startStruckBy(t, kind)

      await sendTask(yom).catch(() => undefined)

      t.equal(yom.counts().tasks, 0, kind)
    }
  })

  t.test('has done the work when the answer is lost, wrong, half or late', async (t) => {
    for (const kind of ['slow', 'lost_after', 'error_after', 'half_answer', 'wrong_type'] as const) {
      const yom = await startStruckBy(t, kind)

      await sendTask(yom).catch(() => undefined)

      t.equal(yom.counts().tasks, 1, kind)
    }
  })

  t.test('breaks the connection where the caller is to learn nothing', async (t) => {
    for (const kind of ['reset_before', 'lost_after', 'half_answer'] as const) {
      await t.rejects(sendTask(await startStruckBy(t, kind)), kind)
    }
  })

  t.test('names no time, seconds or a date when it throttles', async (t) => {
    const headerOf = async (kind: Fault['kind']): Promise<string | null> => {
      const reply = await sendTask(await startStruckBy(t, kind))
      t.equal(reply.status, 429)
      return reply.headers.get('retry-after')
    }

    t.equal(await headerOf('throttled'), null)
    t.equal(await headerOf('throttled_seconds'), '1')
    t.ok(Date.parse((await headerOf('throttled_date')) ?? '') > Date.now())
  })

  t.test('answers 500 and 502 in the words of the stand-in', async (t) => {
    t.match(await sendTask(await startStruckBy(t, 'error_before')), { status: 500, body: { errorCode: 'IN500001' } })
    t.match(await sendTask(await startStruckBy(t, 'error_after')), { status: 502, body: { name: 'InternalError' } })
  })

  t.test('sends a page of HTML where it is to be of a wrong type', async (t) => {
    await t.rejects(sendTask(await startStruckBy(t, 'wrong_type')), { name: 'SyntaxError' })
  })

  t.test('has a test for every kind', async (t) => {
    t.equal(requestFaults.length, 10)
  })
})
