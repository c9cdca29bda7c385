// Drawn histories of everything that can happen to a service, a few of them: `npm run test:chaos` runs hundreds.
import t from 'tap'
import { PROVIDER_MODES } from '../chaos/model/history.ts'
import { replayCommand, runHistories } from '../chaos/model/run-histories.ts'

const COMMANDS = 15

// Starts of processes, on a busy machine.
t.setTimeout(110_000)

t.test('whatever happens, nothing acknowledged is lost and nothing is done twice', async (t) => {
  const report = await runHistories({ histories: 3, commands: COMMANDS, seed: 12, modes: PROVIDER_MODES, lanes: 1 })

  t.strictSame(
    report.failed.map((history) => `${replayCommand(history, COMMANDS)}\n${history.fault ?? ''}`),
    [],
  )
  t.ok(report.activities > 0, 'something was dispatched')
})
