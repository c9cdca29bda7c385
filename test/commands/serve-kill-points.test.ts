// A process that kills itself at a named point of a dispatch's way; `npm run test:chaos` does so at every point there is.
import t from 'tap'
import { runKillPoints } from '../chaos/kill-points/run-kill-points.ts'

// Two starts of a process for each point, on a busy machine.
t.setTimeout(110_000)

t.test('a service killed', async (t) => {
  for (const [what, mode, point] of [
    ['after the provider took it and before that is written down', 'lookup', 'request:headers /activities'],
    [
      'after Reten took the result and before that is written down',
      'key',
      'request:headers /api/integration/activity-results/tasks',
    ],
  ] as const) {
    await t.test(`${what} loses nothing and does nothing twice`, async (t) => {
      t.strictSame(await runKillPoints({ mode, points: [point], lanes: 1 }), { killed: 1, missed: [], failed: [] })
    })
  }
})
