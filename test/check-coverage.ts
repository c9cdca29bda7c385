// The least share of lines that the tests must reach, over all of src/. Not 100 %: processes that are killed on purpose, and
// the embedded server's keeper, which runs with an environment of its own, leave no coverage behind although they are tested.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const LEAST_LINES_PERCENT = 90

const report = spawnSync('tap', ['report', 'json-summary'], { encoding: 'utf8', shell: process.platform === 'win32' })
if (report.status !== 0 && report.stdout === '') throw new Error(`tap report: ${report.stderr}`)
const summary: unknown = JSON.parse(readFileSync('.tap/report/coverage-summary.json', 'utf8'))
const percent = readLinesPercent(summary)
process.stdout.write(`coverage: ${percent} % of lines, at least ${LEAST_LINES_PERCENT} % wanted\n`)
if (percent < LEAST_LINES_PERCENT) process.exitCode = 1

function readLinesPercent(value: unknown): number {
  if (typeof value === 'object' && value !== null && 'total' in value) {
    const { total } = value
    if (typeof total === 'object' && total !== null && 'lines' in total) {
      const { lines } = total
      if (typeof lines === 'object' && lines !== null && 'pct' in lines && typeof lines.pct === 'number')
        return lines.pct
    }
  }
  throw new Error('the coverage summary has no share of lines')
}
