import t from 'tap'
import { openLedger } from '../support/ledger.ts'
import { percentile, prepareFairness } from './measure-fairness.ts'

const { db } = await openLedger(t, 10)

// Below this a difference is the machine's: one turn of the loop more or less. A real coupling is as long as the slow provider's
// answer (400 ms), the dead one's time-out (150 ms) or a poll (1 s).
const NOISE_MS = 40
// The slowest of a hundred may have met something else that the machine does; a coupling is met every time.
const MEASUREMENTS = 3

void t.test('a healthy connection', async (t) => {
  await t.test('is not slowed by one whose provider is dead and one whose provider is slow', async (t) => {
    const measure = await prepareFairness(t, db)
    let isFair = false
    for (let measured = 0; measured < MEASUREMENTS && !isFair; measured += 1) {
      const { alone, together, deadCalls, slowCalls } = await measure()
      const [aloneMs, togetherMs] = [percentile(alone, 0.99), percentile(together, 0.99)]
      isFair = togetherMs <= 2 * aloneMs + NOISE_MS
      t.comment(`p99 ${togetherMs.toFixed(1)} ms beside the others, ${aloneMs.toFixed(1)} ms alone`)
      t.comment(`p50 ${percentile(together, 0.5).toFixed(1)} ms and ${percentile(alone, 0.5).toFixed(1)} ms`)
      t.ok(deadCalls > 0 && slowCalls > 0, `both were called meanwhile: ${deadCalls} and ${slowCalls} times`)
    }

    t.ok(isFair)
  })
})
