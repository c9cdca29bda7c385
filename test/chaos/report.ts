// What a run shows: a table, and below it every broken promise.
import Table from 'cli-table3'
import type { Played } from './play.ts'

/** The table of a run. */
export function formatPlayed(played: readonly Played[]): string {
  const table = new Table({
    head: ['scenario', 'dispatched', 'acknowledged', 'lost', 'doubled', 'parked', 'longest stall', 'recovered in', ''],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [] },
  })
  for (const row of played) {
    table.push([
      row.scenario,
      row.dispatched,
      row.acknowledged,
      row.lost,
      row.doubled,
      row.parked,
      `${row.longestStallMs} ms`,
      `${row.recoveredSeconds} s`,
      row.broken.length === 0 ? 'held' : 'BROKEN',
    ])
  }
  const said = played.flatMap(({ scenario, broken, notes }) => [
    ...notes.map((note) => `${scenario}: ${note}`),
    ...broken.map((sentence) => `${scenario}: BROKEN: ${sentence}`),
  ])
  return [table.toString(), ...said].join('\n')
}
