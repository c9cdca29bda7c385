import t from 'tap'
import { createJobLoop } from '../src/job-loop.ts'
import type { JobLoopOptions } from '../src/job-loop.ts'
import { createListeningLogger } from './deliver/delivery-fixture.ts'
import { until } from './support/ledger.ts'

/** Longer than any test: what happens before it was not brought about by polling. */
const NEVER_MS = 600_000

/** A loop over `queue`, which notes how often it claimed and what it ran. */
function setUp(options: Partial<JobLoopOptions<string>> = {}) {
  const { logger, lines } = createListeningLogger()
  const queue: string[] = []
  const ran: string[] = []
  const seen = { claims: 0 }
  const loop = createJobLoop<string>({
    name: 'test',
    logger,
    pollMs: NEVER_MS,
    run: async (job) => void ran.push(job),
    ...options,
    claim: async () => {
      seen.claims += 1
      return options.claim === undefined ? queue.splice(0) : options.claim()
    },
  })
  return { loop, lines, queue, ran, seen }
}

t.test('createJobLoop', async (t) => {
  t.test('runs what is there when it starts', async (t) => {
    const { loop, queue, ran } = setUp()
    queue.push('one', 'two')

    void loop.start()
    t.teardown(() => loop.stop())

    await until(() => ran.length === 2)
    t.strictSame(ran, ['one', 'two'])
  })

  t.test('runs what it claimed side by side', async (t) => {
    const both = Promise.withResolvers<void>()
    let underWay = 0
    const { loop, queue } = setUp({
      run: async () => {
        underWay += 1
        if (underWay === 2) both.resolve()
        await both.promise
      },
    })
    queue.push('one', 'two')

    void loop.start()

    await t.resolves(both.promise)
    await loop.stop()
  })

  t.test('claims again as soon as it is nudged', async (t) => {
    const { loop, queue, ran, seen } = setUp()
    void loop.start()
    t.teardown(() => loop.stop())
    await until(() => seen.claims === 1)

    queue.push('late')
    loop.nudge()

    await until(() => ran.length === 1)
    t.pass('long before the next poll')
  })

  t.test('loses no nudge that comes while it claims', async (t) => {
    const gate = Promise.withResolvers<void>()
    const { loop, seen } = setUp({ claim: () => gate.promise.then(() => []) })
    void loop.start()
    t.teardown(() => loop.stop())
    await until(() => seen.claims === 1)

    loop.nudge()
    gate.resolve()

    await until(() => seen.claims === 2)
    t.pass('it claimed once more')
  })

  t.test('takes any number of nudges for one', async (t) => {
    const gate = Promise.withResolvers<void>()
    const { loop, seen } = setUp({ claim: () => gate.promise.then(() => []) })
    void loop.start()
    await until(() => seen.claims === 1)

    for (let number = 0; number < 1_000; number += 1) loop.nudge()
    gate.resolve()

    await until(() => seen.claims === 2)
    await loop.stop()
    t.equal(seen.claims, 2)
  })

  t.test('polls where nobody nudges', async (t) => {
    const { loop, seen } = setUp({ pollMs: 1 })
    void loop.start()
    t.teardown(() => loop.stop())

    await until(() => seen.claims > 3)
    t.pass('it claimed again and again')
  })

  t.test('claims again when a job has ended, since a slot is free', async (t) => {
    const gate = Promise.withResolvers<void>()
    const { loop, queue, seen } = setUp({ run: () => gate.promise })
    queue.push('long')
    void loop.start()
    t.teardown(() => loop.stop())
    await until(() => seen.claims === 2)

    gate.resolve()

    await until(() => seen.claims === 3)
    t.pass('without a poll and without a nudge')
  })

  t.test('waits longer after each claim that did not succeed, says why, and recovers', async (t) => {
    let isAway = true
    const queue = ['one']
    const { loop, lines, ran } = setUp({
      claim: async () => {
        if (isAway) throw new Error('the database is away')
        return queue.splice(0)
      },
    })
    void loop.start()
    t.teardown(() => loop.stop())

    await until(() => lines.length === 2)
    t.match(lines, [
      { event: 'worker.claim_failed', worker: 'test', backoffMs: 100 },
      { event: 'worker.claim_failed', backoffMs: 200 },
    ])
    t.equal(loop.fault(), 'the database is away')

    isAway = false
    await until(() => ran.length > 0)
    t.equal(loop.fault(), undefined)
  })

  t.test('gives up a claim that does not come back, says so, and runs what it brings all the same', async (t) => {
    const stuck = Promise.withResolvers<readonly string[]>()
    const queue = ['next']
    const { loop, lines, ran, seen } = setUp({
      claimTimeoutMs: 20,
      claim: () => (seen.claims === 1 ? stuck.promise : Promise.resolve(queue.splice(0))),
    })
    void loop.start()
    t.teardown(() => loop.stop())

    await until(() => lines.length === 1)
    t.match(lines, [
      { level: 'error', event: 'worker.claim_failed', err: { message: /has not come back within 20 ms/ } },
    ])
    t.match(loop.fault(), /has not come back/)

    await until(() => ran.length === 1)
    t.equal(loop.fault(), undefined)
    stuck.resolve(['late'])

    await until(() => ran.length === 2)
    t.strictSame(ran, ['next', 'late'])
  })

  t.test('does not let nudges hurry a claim that does not succeed', async (t) => {
    const { loop, seen } = setUp({
      claim: async () => {
        throw new Error('the database is away')
      },
    })
    const startedAt = performance.now()
    void loop.start()

    await until(() => {
      loop.nudge()
      return seen.claims === 3
    })

    const ms = performance.now() - startedAt
    t.ok(ms > 290, `the third one after ${ms} ms: 100 and 200 have to pass before`)
    await loop.stop()
  })

  for (const [how, run] of Object.entries({
    rejects: () => Promise.reject(new Error('a bug')),
    throws: () => {
      throw new Error('a bug')
    },
  })) {
    t.test(`tells of a job that ${how}, frees its slot and runs the others`, async (t) => {
      const others: string[] = []
      const { loop, lines, queue, seen } = setUp({
        run: (job) => (job === 'bad' ? run() : Promise.resolve(void others.push(job))),
      })
      queue.push('bad', 'good')
      void loop.start()
      t.teardown(() => loop.stop())

      await until(() => seen.claims === 3)

      t.strictSame(others, ['good'])
      t.match(lines, [{ level: 'error', event: 'worker.fault', worker: 'test', err: { message: 'a bug' } }])
      t.equal(lines.length, 1)
      t.equal(loop.fault(), undefined, 'it can claim')
    })
  }

  t.test('lets running jobs end before it stops, and aborts none of them', async (t) => {
    const gate = Promise.withResolvers<void>()
    let wasAborted: boolean | undefined
    const { loop, queue, seen } = setUp({
      run: async (_job, signal) => {
        await gate.promise
        wasAborted = signal.aborted
      },
    })
    queue.push('long')
    void loop.start()
    await until(() => seen.claims === 2)
    let hasStopped = false

    const stopped = loop.stop().then(() => (hasStopped = true))
    await new Promise((resolve) => setImmediate(resolve))
    t.notOk(hasStopped)
    gate.resolve()
    await stopped

    t.equal(wasAborted, false)
  })

  t.test('aborts what is still running when its grace is over', async (t) => {
    const { loop, queue, seen } = setUp({
      graceMs: 1,
      run: (_job, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    })
    queue.push('endless', 'endless too')
    void loop.start()
    await until(() => seen.claims === 2)

    await t.resolves(loop.stop())
  })

  t.test('claims nothing any more once it stops', async (t) => {
    const { loop, seen } = setUp({ pollMs: 1 })
    void loop.start()
    await until(() => seen.claims > 1)

    await loop.stop()
    const before = seen.claims
    loop.nudge()
    await new Promise((resolve) => setImmediate(resolve))

    t.equal(seen.claims, before)
  })

  t.test('runs to its end what it was claiming when it was stopped', async (t) => {
    const gate = Promise.withResolvers<readonly string[]>()
    const { loop, ran, seen } = setUp({ claim: () => gate.promise })
    void loop.start()
    await until(() => seen.claims === 1)

    const stopped = loop.stop()
    gate.resolve(['claimed'])
    await stopped

    t.strictSame(ran, ['claimed'])
  })

  t.test('stops at once while it waits after a fault, or where it never started', async (t) => {
    const { loop, lines } = setUp({
      claim: async () => {
        throw new Error('the database is away')
      },
    })
    void loop.start()
    await until(() => lines.length === 2)

    await t.resolves(loop.stop())
    await t.resolves(setUp().loop.stop())
  })

  t.test('runs one round for whoever does not start it', async (t) => {
    const { loop, queue, ran } = setUp()
    queue.push('one', 'two')

    t.strictSame([await loop.runOnce(), await loop.runOnce()], [2, 0])
    t.strictSame(ran, ['one', 'two'])
  })
})
