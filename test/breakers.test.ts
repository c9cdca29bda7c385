import t from 'tap'
import { BreakerOpen, FAULTS_TO_OPEN, createBreakers } from '../src/breakers.ts'
import type { Breakers } from '../src/breakers.ts'
import { createListeningLogger } from './deliver/delivery-fixture.ts'
import { until } from './support/ledger.ts'

type Word = 'answer' | 'fault'

const ACME = { name: 'acme', version: '1' }
const ALIVE = new AbortController().signal

function setUp(openForMs: readonly number[] = [60_000]) {
  const { logger, lines } = createListeningLogger()
  const breakers = createBreakers<Word>({
    kind: 'deliver',
    isFault: (word) => word === 'fault',
    logger,
    random: () => 0,
    openForMs,
  })
  const told = (): unknown[] => lines.map((line) => line['event'])
  return { breakers, lines, told }
}

const say = (breakers: Breakers<Word>, word: Word, to = ACME): Promise<Word> =>
  breakers.run(to, async () => word, ALIVE)

async function fail(breakers: Breakers<Word>, times = FAULTS_TO_OPEN): Promise<void> {
  for (let time = 0; time < times; time += 1) await say(breakers, 'fault')
}

void t.test('createBreakers', async (t) => {
  await t.test('lets everything through while it is closed, and passes on what it came to', async (t) => {
    const { breakers } = setUp()

    t.equal(await say(breakers, 'answer'), 'answer')
    t.equal(await say(breakers, 'fault'), 'fault')
    t.equal(breakers.slots(ACME, 7), 7)
    t.equal(breakers.nextProbeMs(), Infinity)
  })

  await t.test('opens after faults in a row, and begins nothing then', async (t) => {
    const { breakers, told } = setUp()
    await fail(breakers, FAULTS_TO_OPEN - 1)
    t.equal(breakers.state('acme'), 'closed')

    await say(breakers, 'fault')

    t.equal(breakers.state('acme'), 'open')
    t.equal(breakers.slots(ACME, 7), 0)
    let isBegun = false
    const work = async (): Promise<Word> => {
      isBegun = true
      return 'answer'
    }
    await t.rejects(breakers.run(ACME, work, ALIVE), BreakerOpen)
    t.notOk(isBegun)
    t.strictSame(told(), ['breaker.opened'])
  })

  await t.test('forgets faults at every answer', async (t) => {
    const { breakers } = setUp()
    for (let round = 0; round < 3; round += 1) {
      await fail(breakers, FAULTS_TO_OPEN - 1)
      await say(breakers, 'answer')
    }

    t.equal(breakers.state('acme'), 'closed')
  })

  await t.test('says when it may be probed, lets one probe through, and closes at its answer', async (t) => {
    const { breakers, told } = setUp([40])
    await fail(breakers)
    const waitMs = breakers.nextProbeMs()
    t.ok(waitMs > 0 && waitMs <= 40, `${waitMs} ms`)
    await until(() => breakers.slots(ACME, 7) > 0)
    t.equal(breakers.slots(ACME, 7), 1)
    t.equal(breakers.state('acme'), 'half-open')
    t.equal(breakers.nextProbeMs(), Infinity, 'nobody is woken again and again')

    const answer = Promise.withResolvers<Word>()
    const probe = breakers.run(ACME, () => answer.promise, ALIVE)
    t.equal(breakers.slots(ACME, 7), 0, 'one at a time')
    await t.rejects(say(breakers, 'answer'), BreakerOpen)
    answer.resolve('answer')
    await probe

    t.equal(breakers.slots(ACME, 7), 7)
    t.strictSame(told(), ['breaker.opened', 'breaker.closed'])
  })

  await t.test('stays open for longer after each probe that fails, and says nothing new of it', async (t) => {
    const { breakers, told } = setUp([20, 60_000])
    await fail(breakers)
    await until(() => breakers.slots(ACME, 1) > 0)

    await say(breakers, 'fault')

    t.ok(breakers.nextProbeMs() > 50_000)
    t.strictSame(told(), ['breaker.opened'])
  })

  await t.test('takes an exception for nothing: no fault while closed, no proof while probing', async (t) => {
    const { breakers } = setUp([20, 60_000])
    const broken = (): Promise<Word> =>
      breakers.run(
        ACME,
        async () => {
          throw new TypeError('ours')
        },
        ALIVE,
      )
    await fail(breakers, FAULTS_TO_OPEN - 1)
    await t.rejects(broken(), TypeError)
    t.equal(breakers.state('acme'), 'closed')
    await say(breakers, 'fault')
    await until(() => breakers.slots(ACME, 1) > 0)

    await t.rejects(broken(), TypeError)

    t.equal(breakers.state('acme'), 'open')
  })

  await t.test('blames nobody for what our own end cut short', async (t) => {
    const { breakers } = setUp()
    for (let time = 0; time < 2 * FAULTS_TO_OPEN; time += 1) {
      await breakers.run(ACME, async () => 'fault', AbortSignal.abort())
    }

    t.equal(breakers.state('acme'), 'closed')
  })

  await t.test('keeps connections apart, and begins anew with one that was changed', async (t) => {
    const { breakers, told } = setUp()
    await fail(breakers)

    t.equal(breakers.slots({ name: 'other', version: '1' }, 7), 7)
    t.equal(breakers.slots({ ...ACME, version: '2' }, 7), 7)
    t.strictSame(told(), ['breaker.opened', 'breaker.closed'])
  })

  await t.test('names the connections that wait, while they do', async (t) => {
    const { breakers } = setUp([30])
    t.equal(breakers.fault(), undefined)
    await fail(breakers)

    t.match(breakers.fault(), /deliver: acme/)

    await until(() => breakers.state('acme') === 'half-open')
    t.equal(breakers.fault(), undefined, 'nothing is due, so nothing waits')
  })
})
