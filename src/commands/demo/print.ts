// What the demo shows: a line that moves while it runs, a table, and where to look afterwards.
import Table from 'cli-table3'
import type { DemoProgress } from './run-demo.ts'
import type { Stage } from './stage.ts'
import type { Tally } from './tally.ts'

/** Progress on standard error, so that standard output holds the result alone: one moving line, or lines where it is no terminal. */
export function printProgress(progress: DemoProgress): void {
  const { dispatched, delivered, registered, of } = progress
  const text = `Reten dispatched ${dispatched}/${of}   YOM has ${delivered}/${of}   back at Reten ${registered}/${of}`
  if (process.stderr.isTTY) process.stderr.write(`\r${text}\u001b[K`)
  else if (text !== lastLine) process.stderr.write(`${text}\n`)
  lastLine = text
}

let lastLine = ''

/** Ends the moving line. */
export function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\n')
}

/** The final counts as a table. */
export function formatTally(counts: Tally): string {
  const table = new Table({
    head: ['', 'count', 'who counted'],
    colAligns: ['left', 'right', 'left'],
    style: { head: [], border: [] },
  })
  table.push(
    ['dispatched', counts.dispatched, "Reten's stand-in"],
    ['acknowledged', counts.acknowledged, "Reten's stand-in"],
    ['stored', counts.stored, 'the service'],
    ['delivered', counts.delivered, 'the service'],
    ['reported', counts.reported, 'the service'],
    ['registered', counts.registered, "Reten's stand-in"],
    ['repeats answered', counts.duplicates, "Reten's stand-in"],
    ...(counts.quarantined === undefined ? [] : [['quarantined, repaired', counts.quarantined, 'the service']]),
    ['parked for a person', counts.parked, 'the service'],
    ['lost', counts.lost, 'both ends, id by id'],
    ['doubled', counts.doubled, 'both stand-ins'],
  )
  return `${table.toString()}\n${counts.seconds} s\n${formatUnheard(counts.stored - counts.acknowledged)}`
}

/** Fewer acknowledged than stored looks like a fault and is none. */
function formatUnheard(count: number): string {
  if (count <= 0) return ''
  return `${count} stored, but the acknowledgement was lost on the way; all was done before Reten sent them again\n`
}

/** Where to look while the demo stays up. */
export function formatAddresses(stage: Stage): string {
  const { publicUrl, opsUrl, adminToken, dispatchKey } = stage
  return `
The service      ${publicUrl}  (health: ${publicUrl}/health)
Operators        ${opsUrl}/metrics, ${opsUrl}/admin/dispatches
  admin token    ${adminToken}
Reten's stand-in ${stage.reten.url}/sandbox/counts
YOM's stand-in   ${stage.yom.url}/sandbox/counts
Service's log    ${stage.logFile}

Try:
  curl -s '${opsUrl}/admin/dispatches?limit=3' -H 'authorization: Bearer ${adminToken}'
  curl -s ${stage.reten.url}/sandbox/activities -H 'content-type: application/json' -d '{"count":5}'
  curl -s -X POST ${stage.reten.url}/sandbox/dispatch

A push by hand, which Reten never made: it is delivered, and ends as failed because Reten does not know it.
  curl -s ${publicUrl}/activities -H 'x-api-key: ${dispatchKey}' -H 'content-type: application/json' \\
    -d '{"id":"0b6f7f0e-3c1a-4f7e-9f55-6a2f1f6f0a11","type":"TASK","commerce":{"externalId":"C-1001"}}'

Ctrl-C ends it all.
`
}
