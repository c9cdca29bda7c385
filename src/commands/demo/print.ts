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
  else process.stderr.write(`${text}\n`)
}

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
  return `${table.toString()}\n${counts.seconds} s\n`
}

/** Where to look while the demo stays up. */
export function formatAddresses(stage: Stage): string {
  const { publicUrl, opsUrl, adminToken, dispatchKey } = stage
  return `
The service      ${publicUrl}  (health: ${publicUrl}/health)
Operators        ${opsUrl}/metrics, ${opsUrl}/admin/dispatches
  admin token    ${adminToken}
Reten's stand-in ${stage.reten.url}   YOM's stand-in ${stage.yom.url}
Service's log    ${stage.logFile}

Try:
  curl -s '${opsUrl}/admin/dispatches?limit=3' -H 'authorization: Bearer ${adminToken}'
  curl -s ${publicUrl}/activities -H 'x-api-key: ${dispatchKey}' -H 'content-type: application/json' \\
    -d '{"id":"try-1","type":"TASK","commerce":{"externalId":"C-1042"}}'

Ctrl-C ends it all.
`
}
