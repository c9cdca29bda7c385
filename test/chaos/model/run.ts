// node test/chaos/model/run.ts: histories nobody thought of. Ends with 1 where one of them went wrong, and says how to run it again.
import { parseArgs } from 'node:util'
import { PROVIDER_MODES } from './history.ts'
import type { ProviderMode } from './history.ts'
import { replayCommand, runHistories } from './run-histories.ts'

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '200' },
    commands: { type: 'string', default: '80' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    mode: { type: 'string' },
    lanes: { type: 'string', default: '4' },
  },
})
const modes: readonly ProviderMode[] =
  values.mode === undefined ? PROVIDER_MODES : PROVIDER_MODES.filter((mode) => mode === values.mode)
if (modes.length === 0) throw new RangeError(`--mode is ${values.mode} and must be one of ${PROVIDER_MODES.join(', ')}`)

const options = {
  histories: Number(values.histories),
  commands: Number(values.commands),
  seed: Number(values.seed),
  lanes: Number(values.lanes),
  modes,
}
const startedAt = performance.now()
let done = 0
const report = await runHistories({
  ...options,
  onHistory: (history) => {
    done += 1
    const { seed, mode, commands, activities, fault } = history
    process.stdout.write(
      `${done}/${options.histories} seed ${seed} ${mode}: ${commands} commands, ${activities} activities\n`,
    )
    if (fault !== undefined) process.stdout.write(`FAILED ${replayCommand(history, options.commands)}\n${fault}\n`)
  },
})
const seconds = Math.round((performance.now() - startedAt) / 1_000)
process.stdout.write(
  `${JSON.stringify({ ...report, failed: report.failed.map(({ seed, mode }) => ({ seed, mode })), seconds })}\n`,
)
process.exitCode = report.failed.length > 0 ? 1 : 0
