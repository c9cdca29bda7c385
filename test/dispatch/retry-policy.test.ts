import fc from 'fast-check'
import t from 'tap'
import { DEFAULT_RETRY_DELAYS_SECONDS, nextDelayMs } from '../../src/dispatch/retry-policy.ts'
import { holds } from '../support/holds.ts'

const MIDDLE = (): number => 0.5

t.test('nextDelayMs', async (t) => {
  t.test('follows the table, try by try, and then gives up', async (t) => {
    const delays = Array.from({ length: 13 }, (_, tries) =>
      nextDelayMs(DEFAULT_RETRY_DELAYS_SECONDS, tries + 1, MIDDLE),
    )

    t.strictSame(
      delays.map((delay) => (delay === undefined ? undefined : delay / 1_000)),
      [...DEFAULT_RETRY_DELAYS_SECONDS, undefined],
    )
  })

  t.test('spreads over a fifth to either side', async (t) => {
    t.equal(
      nextDelayMs([100], 1, () => 0),
      80_000,
    )
    t.equal(
      nextDelayMs([100], 1, () => 1),
      120_000,
    )
  })

  t.test('waits as long as the destination wishes, where that is longer', async (t) => {
    t.equal(nextDelayMs([2, 600], 1, MIDDLE, 45_000), 45_000)
    t.equal(nextDelayMs([2, 600], 1, MIDDLE, 500), 2_000)
  })

  t.test('never waits longer than the longest step, whatever the destination wishes', async (t) => {
    t.equal(nextDelayMs(DEFAULT_RETRY_DELAYS_SECONDS, 1, MIDDLE, 31_536_000_000), 28_800_000)
  })

  t.test('amounts to about a day in all', async (t) => {
    const hours = DEFAULT_RETRY_DELAYS_SECONDS.reduce((sum, seconds) => sum + seconds, 0) / 3_600

    t.ok(hours > 20 && hours < 26, `${hours} h`)
  })

  t.test('stays finite, not negative and within a fifth of the longest step, for every table and wish', async (t) => {
    const delays = fc.array(fc.double({ min: 0, max: 604_800, noNaN: true }), { minLength: 1, maxLength: 50 })
    const random = fc.double({ min: 0, max: 1, noNaN: true })
    holds(
      t,
      fc.property(delays, fc.integer({ min: 1, max: 60 }), random, fc.nat(), (table, tries, roll, wishMs) => {
        const delay = nextDelayMs(table, tries, () => roll, wishMs)
        if (tries > table.length) return delay === undefined
        return delay !== undefined && delay >= 0 && delay <= Math.max(...table) * 1_200 + 1 && Number.isInteger(delay)
      }),
    )
  })
})
