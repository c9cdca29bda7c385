// Plays one scenario: load, disturbance, some more load, until everything is back; then the verdict.
import { setTimeout as pause } from 'node:timers/promises'
import { cpSync } from 'node:fs'
import { createSeededRandom } from '../../src/sandbox/seeded-random.ts'
import { createScope } from '../support/scope.ts'
import { openArena } from './arena.ts'
import type { Arena } from './arena.ts'
import { gatherEvidence } from './gather-evidence.ts'
import { judge, longestStallMs, recoverySeconds } from './judge.ts'
import type { Verdict } from './judge.ts'
import { startLoad } from './load.ts'
import type { Load } from './load.ts'
import type { Scenario } from './scenario.ts'

export interface Played extends Verdict {
  readonly scenario: string
  readonly longestStallMs: number
  /** From the end of the last disturbance until all that was sent by then was back at Reten. */
  readonly recoveredSeconds: number
  readonly seconds: number
  /** What a scenario measured beside the promises. */
  readonly notes: readonly string[]
}

export interface PlayOptions {
  readonly seed: number
  readonly isLong: boolean
  readonly signal: AbortSignal
  /** Called when nothing is broken any more and all that is left is to wait. */
  readonly onDraining: () => void
  /** Keeps the instances' logs also where every promise held. */
  readonly keepLogs: boolean
  /** Where the instances' logs are kept when a promise was broken. */
  readonly keepLogsIn: string
}

// So that there is something under way everywhere when it begins.
const BEFORE_MS = 3_000
// So that it is seen that all goes on as before.
const AFTER_MS = 4_000
// Above the longest wait of all who try again (a minute, YOM's webhooks): what is not back by then will not come back.
const DRAIN_MS = 150_000
const POLL_MS = 100

/** Plays it from an empty stage to an empty stage. Rejects when it could not be played to its end. */
export async function play(scenario: Scenario, options: PlayOptions): Promise<Played> {
  const { seed, signal } = options
  const scope = createScope()
  const startedAt = performance.now()
  try {
    const arena = await openArena(scope, { seed, ...scenario.arena })
    const disturb = await scenario.setUp(arena)
    const { ratePerSecond, mostUnfinished = Number.POSITIVE_INFINITY, retryMs = RETRY_MS } = scenario
    const load = startLoad(arena.reten, { ratePerSecond, mostUnfinished, retryMs, signal })
    const wait = (ms: number): Promise<void> => pause(ms, undefined, { signal })
    const fromMs = Date.now()
    await wait(BEFORE_MS)
    const random = createSeededRandom(seed)
    const found = (await disturb({ arena, load, random, isLong: options.isLong, wait })) ?? {}
    const endMs = Date.now()
    await wait(AFTER_MS)
    const untilMs = Date.now()
    options.onDraining()
    await load.stop()
    await untilAllIsBack(arena, load, signal)

    const evidence = await gatherEvidence({ reten: arena.reten, yom: arena.yom, databaseUrl: arena.database.url })
    const verdict = judge(evidence)
    const broken = [...verdict.broken, ...(found.broken ?? [])]
    if (broken.length > 0 || options.keepLogs) cpSync(arena.directory, options.keepLogsIn, { recursive: true })
    return {
      scenario: scenario.name,
      ...verdict,
      broken,
      longestStallMs: longestStallMs(evidence.activities, fromMs, untilMs),
      recoveredSeconds: recoverySeconds(evidence.activities, endMs),
      seconds: Math.round((performance.now() - startedAt) / 1_000),
      notes: found.notes ?? [],
    }
  } finally {
    await scope.end()
  }
}

// Reten's attempts are half a minute apart; a third of that is the harder test of a service that comes back.
const RETRY_MS = 10_000

async function untilAllIsBack(arena: Arena, load: Load, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + DRAIN_MS
  while (performance.now() < deadline) {
    if (load.unfinished() === 0 && (await countOpenJobs(arena)) === 0) break
    await pause(POLL_MS, undefined, { signal })
  }
  // A webhook told twice, or a duplicate, may still be on its way: what is counted is counted after it.
  await arena.yom.idle()
}

async function countOpenJobs({ database }: Arena): Promise<number> {
  const [row] = await database.query<{ open: number }>(
    'select count(*)::int as open from jobs where parked_reason is null',
  )
  return row?.open ?? 0
}
