import type { SeededRandom } from '../../src/sandbox/seeded-random.ts'
import type { Arena, ArenaOptions } from './arena.ts'
import type { Load } from './load.ts'

/** What a scenario is played with. */
export interface Stagecraft {
  readonly arena: Arena
  readonly load: Load
  readonly random: SeededRandom
  /** The long form: minutes where the short one takes seconds. */
  readonly isLong: boolean
  /** Resolves after a time; rejects when the run is interrupted. */
  wait(ms: number): Promise<void>
}

/** One way in which things go wrong, and what must hold all the same. */
export interface Scenario {
  readonly name: string
  /** One sentence for people. */
  readonly proves: string
  readonly ratePerSecond: number
  /** It measures, so nothing else may be played meanwhile. */
  readonly isAlone?: boolean
  /** No more is dispatched while this many are not back at Reten; default no bound that matters. */
  readonly mostUnfinished?: number
  /** Between Reten's attempts; default 10,000. */
  readonly retryMs?: number
  readonly arena?: Omit<ArenaOptions, 'seed'>
  /** Says why it cannot be played here, where that is so. */
  readonly skipped?: () => string | undefined
  /** Starts the instances. */
  setUp(arena: Arena): Promise<Disturbance>
}

/** What a scenario found beside what every one is judged by. */
export interface Findings {
  /** Broken promises of its own, as sentences. */
  readonly broken?: readonly string[]
  /** What it measured. */
  readonly notes?: readonly string[]
}

/** Breaks things under load; resolves when all is whole again. */
export type Disturbance = (craft: Stagecraft) => Promise<Findings | void>
