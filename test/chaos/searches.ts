// What looks for trouble that nobody has thought of: drawn histories, and a process killed at every point a dispatch crosses.
import { runKillPoints } from './kill-points/run-kill-points.ts'
import { MISSED, MISSED_CASES, runMissed } from './missed/run-missed.ts'
import type { MissedCase, MissedOutcome } from './missed/run-missed.ts'
import { PROVIDER_MODES } from './model/history.ts'
import { replayCommand, runHistories } from './model/run-histories.ts'

export interface SearchOptions {
  readonly seed: number
  readonly long: boolean
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

export interface Search {
  readonly name: string
  readonly proves: string
  /** Answers what it found, one sentence each. */
  readonly run: (options: SearchOptions) => Promise<readonly string[]>
}

const LANES = 3
const SHORT = { histories: 12, commands: 40 }
const LONG = { histories: 201, commands: 80 }

export const SEARCHES: readonly Search[] = [
  {
    name: 'histories',
    proves: 'whatever happens in whatever order, each dispatch ends once or stands before a person',
    run: async ({ seed, long, signal, say }) => {
      const size = long ? LONG : SHORT
      const report = await runHistories({ ...size, seed, modes: PROVIDER_MODES, lanes: LANES, signal })
      const { histories, commands, activities, endings, failed } = report
      say(`  ${histories} histories, ${commands} commands, ${activities} activities: ${JSON.stringify(endings)}`)
      return failed.map((history) => `${replayCommand(history, size.commands)}\n${history.fault ?? ''}`)
    },
  },
  {
    name: 'kill-points',
    proves: 'a process may die at any point between the bytes of a dispatch and its result at Reten',
    run: async ({ long, signal, say }) => {
      const faults: string[] = []
      for (const mode of long ? PROVIDER_MODES : (['lookup'] as const)) {
        const { killed, missed, failed } = await runKillPoints({ mode, lanes: LANES, signal })
        say(`  ${mode}: killed at ${killed} points; ${missed.length} were not crossed again: ${missed.join(', ')}`)
        faults.push(...failed)
      }
      return faults
    },
  },
  {
    name: 'missed',
    proves: 'what Reten gave up while the service was away is found, and done once or put before a person',
    run: async ({ seed, signal, say }) => {
      const faults: string[] = []
      for (const one of MISSED_CASES) {
        if (signal.aborted) break
        const how = `${one.isVisible ? 'visible' : 'hidden'}, results ${one.areResultsTaken ? 'taken' : 'refused'}`
        try {
          const outcome = await runMissed(one, seed, signal)
          say(`  ${how}: ${JSON.stringify(outcome)}`)
          faults.push(...faultsOf(one, outcome).map((fault) => `missed, ${how}: ${fault}`))
        } catch (error) {
          if (!signal.aborted) faults.push(`missed, ${how}: ${String(error)}`)
        }
      }
      return faults
    },
  },
]

function faultsOf({ isVisible, areResultsTaken }: MissedCase, outcome: MissedOutcome): string[] {
  const done = isVisible ? MISSED : 0
  const expected = {
    found: done,
    delivered: done,
    accepted: areResultsTaken ? done : 0,
    beforeAPerson: isVisible && areResultsTaken ? 0 : MISSED,
    doubled: 0,
  }
  return (Object.keys(expected) as (keyof typeof expected)[]) // the keys of a constant of ours
    .filter((name) => outcome[name] !== expected[name])
    .map((name) => `${outcome[name]} ${name} instead of ${expected[name]}`)
}
