import t from 'tap'
import { createPeriodic } from '../src/periodic.ts'
import type { PeriodicOptions } from '../src/periodic.ts'
import { createListeningLogger } from './deliver/delivery-fixture.ts'
import { until } from './support/ledger.ts'

const EVERY_SECOND = '* * * * * *'

function setUp(options: Partial<PeriodicOptions>) {
  const { logger, lines } = createListeningLogger()
  const periodic = createPeriodic({
    name: 'test',
    pattern: EVERY_SECOND,
    logger,
    run: async () => {},
    ...options,
  })
  return { periodic, lines }
}

// Croner's clock is the system's, and its shortest period is a second: that is what these tests take.
t.jobs = 4

t.test('createPeriodic', async (t) => {
  t.jobs = 6

  t.test('runs by the clock once it is started, and not before', async (t) => {
    let runs = 0
    const { periodic } = setUp({ run: async () => (runs += 1) })
    t.teardown(() => periodic.stop())
    t.equal(runs, 0)

    void periodic.start()

    await until(() => runs === 1)
    t.equal(periodic.fault(), undefined)
  })

  t.test('never runs twice at once, however long a run takes', async (t) => {
    let underWay = 0
    let most = 0
    let runs = 0
    const gate = Promise.withResolvers<void>()
    const { periodic } = setUp({
      run: async () => {
        runs += 1
        underWay += 1
        most = Math.max(most, underWay)
        await gate.promise
        underWay -= 1
      },
    })
    t.teardown(() => periodic.stop())
    let otherRuns = 0
    const other = setUp({ run: async () => (otherRuns += 1) }).periodic
    t.teardown(() => other.stop())
    void periodic.start()
    void other.start()

    await until(() => otherRuns === 2)
    t.equal(runs, 1, 'its second time came and went')
    gate.resolve()

    await until(() => runs === 2)
    t.equal(most, 1)
  })

  t.test('does nothing while it is not this instance’s turn', async (t) => {
    let asked = 0
    let runs = 0
    const { periodic } = setUp({
      guard: async () => {
        asked += 1
        return asked === 2
      },
      run: async () => (runs += 1),
    })
    t.teardown(() => periodic.stop())

    void periodic.start()

    await until(() => runs === 1)
    t.equal(asked, 2)
  })

  t.test('tells of a run that did not succeed, and comes back', async (t) => {
    let runs = 0
    const { periodic, lines } = setUp({
      run: async () => {
        runs += 1
        if (runs === 1) throw new Error('the database is away')
      },
    })
    t.teardown(() => periodic.stop())
    void periodic.start()

    await until(() => periodic.fault() !== undefined)
    t.equal(periodic.fault(), 'the database is away')
    t.match(lines, [{ level: 'warn', event: 'periodic.failed', task: 'test' }])

    await until(() => runs === 2)
    t.equal(periodic.fault(), undefined)
  })

  t.test('tells of a guard that did not succeed', async (t) => {
    const { periodic, lines } = setUp({
      guard: async () => {
        throw new Error('nobody knows whose turn it is')
      },
    })
    t.teardown(() => periodic.stop())

    void periodic.start()

    await until(() => lines.length > 0)
    t.equal(periodic.fault(), 'nobody knows whose turn it is')
  })

  t.test('gives up a run that does not come back, says so, and runs the next time', async (t) => {
    let runs = 0
    const { periodic, lines } = setUp({
      timeoutMs: 20,
      run: () => {
        runs += 1
        return runs === 1 ? new Promise(() => {}) : Promise.resolve()
      },
    })
    t.teardown(() => periodic.stop())
    void periodic.start()

    await until(() => periodic.fault() !== undefined)
    t.match(lines, [{ level: 'error', event: 'periodic.failed', err: { message: /has not come back within 20 ms/ } }])

    await until(() => runs === 2)
    t.equal(periodic.fault(), undefined)
  })

  t.test('lets a run end before it stops, and runs no more', async (t) => {
    const gate = Promise.withResolvers<void>()
    let runs = 0
    let hasEnded = false
    const { periodic } = setUp({
      run: async () => {
        runs += 1
        await gate.promise
        hasEnded = true
      },
    })
    void periodic.start()
    await until(() => runs === 1)

    const stopped = periodic.stop()
    gate.resolve()
    await stopped

    t.ok(hasEnded)
    t.equal(runs, 1)
  })

  t.test('stops where it never started', async (t) => {
    await t.resolves(setUp({}).periodic.stop())
  })
})
