// Plays scenarios one after another; while one only waits for its last leases and retries, the next has begun already.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { play } from './play.ts'
import type { Played } from './play.ts'
import type { Scenario } from './scenario.ts'

export interface PlayAllOptions {
  readonly seed: number
  readonly long: boolean
  readonly keepLogs: boolean
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

const LOGS = fileURLToPath(new URL('../../.data/chaos', import.meta.url))
// Each has a PostgreSQL and two instances, about half a gigabyte.
const MOST_AT_ONCE = 3

/** Plays them and answers what was played, in their order; less than all where the signal aborted. Rejects when one could not be played. */
export async function playAll(scenarios: readonly Scenario[], options: PlayAllOptions): Promise<readonly Played[]> {
  const { signal, say } = options
  const faults: unknown[] = []
  const played = new Map<Scenario, Played>()
  const open = new Set<Promise<void>>()
  const isOver = (): boolean => signal.aborted || faults.length > 0

  const begin = (scenario: Scenario): Promise<void> => {
    const draining = Promise.withResolvers<void>()
    const keepLogsIn = join(LOGS, scenario.name)
    say(`${scenario.name}: ${scenario.proves}`)
    const playing = play(scenario, {
      seed: options.seed,
      isLong: options.long,
      signal,
      keepLogs: options.keepLogs,
      keepLogsIn,
      onDraining: draining.resolve,
    })
      .then(
        (row) => {
          played.set(scenario, row)
          const verdict = row.broken.length === 0 ? 'held' : `BROKEN: ${row.broken.join('; ')}; logs: ${keepLogsIn}`
          say(`  ${scenario.name}: ${row.dispatched} dispatched, ${row.seconds} s: ${verdict}`)
        },
        (error: unknown) => {
          if (signal.aborted) return
          const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
          faults.push(new Error(`${scenario.name} could not be played: ${why}`, { cause: error }))
        },
      )
      .finally(() => {
        open.delete(playing)
        draining.resolve()
      })
    open.add(playing)
    return draining.promise
  }

  for (const scenario of scenarios) {
    if (isOver()) break
    const reason = scenario.skipped?.()
    if (reason !== undefined) {
      say(`${scenario.name}: skipped: ${reason}`)
      continue
    }
    if (scenario.isAlone === true) await Promise.all(open)
    while (open.size >= MOST_AT_ONCE) await Promise.race(open)
    await begin(scenario)
    if (scenario.isAlone === true) await Promise.all(open)
  }
  await Promise.all(open)
  if (faults.length > 0) throw faults[0]
  return scenarios.flatMap((scenario) => played.get(scenario) ?? [])
}
