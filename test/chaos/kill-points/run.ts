// node test/chaos/kill-points/run.ts: a process killed at every point that a dispatch crosses. Ends with 1 where that loses or
// doubles anything.
import { parseArgs } from 'node:util'
import { PROVIDER_MODES } from '../model/history.ts'
import { runKillPoints } from './run-kill-points.ts'

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const { values } = parseArgs({
  options: {
    mode: { type: 'string' },
    point: { type: 'string', multiple: true },
    lanes: { type: 'string', default: '3' },
  },
})

for (const mode of PROVIDER_MODES) {
  if (values.mode !== undefined && values.mode !== mode) continue
  const startedAt = performance.now()
  const { killed, missed, failed } = await runKillPoints({
    mode,
    lanes: Number(values.lanes),
    points: values.point,
    onKill: (point) => process.stdout.write(`${mode}: killed ${point}\n`),
  })
  const seconds = Math.round((performance.now() - startedAt) / 1_000)
  process.stdout.write(`${JSON.stringify({ mode, killed, missed, failed, seconds })}\n`)
  if (failed.length > 0) process.exitCode = 1
}
