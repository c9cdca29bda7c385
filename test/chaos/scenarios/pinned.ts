// An idle transaction that keeps PostgreSQL from removing any row that died since it began: a queue's own rows, mostly.
import { readActivities } from '../gather-evidence.ts'
import type { Findings, Scenario } from '../scenario.ts'
import { watchClaims } from './claim-times.ts'
import type { ClaimTime } from './claim-times.ts'

const [SHORT_MS, LONG_MS] = [60_000, 600_000]
// What is compared: the first part of the time and the last one. The first minute of ten, the first 15 s of one.
const [SHORT_WINDOW_MS, LONG_WINDOW_MS] = [15_000, 60_000]
// A process that is new answers slowly at first, which would make everything after it look good.
const WARMUP_MS = 5_000
const MOST_LOSS = 0.25
// Below this a claim's time is that of a machine which others use, not of the rows it reads.
const NOTICEABLE_MS = { p50: 1, p99: 10 }

export const PINNED_SCENARIO: Scenario = {
  name: 'pinned-xmin',
  proves: 'while a transaction of somebody else stays open, as much is done in the last minute as in the first',
  // What the design asks for. Two cores that are shared by everything here give less, and say how much.
  ratePerSecond: 1_000,
  mostUnfinished: 300,
  isAlone: true,
  arena: {
    settings: { LOG_LEVEL: 'warn' },
    maxInFlight: 64,
    // A twentieth of all statements with their times; more would be a load of its own.
    postgres: {
      log_min_duration_sample: '0',
      log_statement_sample_rate: '0.05',
      log_line_prefix: '%n ',
    },
  },
  setUp: async (arena) => {
    await Promise.all([arena.start('a'), arena.start('b')])
    return async ({ isLong, wait }) => {
      await wait(WARMUP_MS)
      const holder = await arena.database.connect()
      await holder.query('begin isolation level repeatable read')
      await holder.query('select count(*) from jobs')
      const claims = watchClaims(arena.database)
      const startMs = Date.now()
      await wait(isLong ? LONG_MS : SHORT_MS)
      const endMs = Date.now()
      await holder.query('commit')
      const windowMs = isLong ? LONG_WINDOW_MS : SHORT_WINDOW_MS
      const times = readActivities(arena.reten).flatMap((activity) => activity.registeredAtMs ?? [])
      const measure = (fromMs: number): Measured => measureWindow({ fromMs, windowMs, times, claims: claims.stop() })
      return compare(measure(startMs), measure(endMs - windowMs), isLong)
    }
  },
}

type Share = 'p50' | 'p99'

interface Measured {
  readonly perSecond: number
  /** Milliseconds that a claim took. */
  readonly claim: Readonly<Record<Share, number>>
  readonly claims: number
}

interface Window {
  readonly fromMs: number
  readonly windowMs: number
  /** When results were registered. */
  readonly times: readonly number[]
  readonly claims: readonly ClaimTime[]
}

function measureWindow({ fromMs, windowMs, times, claims }: Window): Measured {
  const isWithin = (atMs: number): boolean => atMs >= fromMs && atMs < fromMs + windowMs
  const durations = claims.filter((claim) => isWithin(claim.atMs)).map((claim) => claim.durationMs)
  const sorted = durations.toSorted((a, b) => a - b)
  return {
    perSecond: times.filter(isWithin).length / (windowMs / 1_000),
    claim: { p50: at(sorted, 0.5), p99: at(sorted, 0.99) },
    claims: sorted.length,
  }
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.floor(sorted.length * share)] ?? Number.NaN
}

/**
 * Within a quarter of a minute throughput and the hundredth claim say more of what else the machine does than of the queue: the
 * short form shows them and judges by the median claim.
 */
function compare(first: Measured, last: Measured, isLong: boolean): Findings {
  const broken: string[] = []
  const judged: readonly Share[] = isLong ? ['p50', 'p99'] : ['p50']
  if (isLong && last.perSecond < first.perSecond * (1 - MOST_LOSS)) {
    broken.push(`${last.perSecond.toFixed(0)}/s at the end, ${first.perSecond.toFixed(0)}/s at the beginning`)
  }
  for (const share of judged) {
    const most = Math.max(first.claim[share] * (1 + MOST_LOSS), first.claim[share] + NOTICEABLE_MS[share])
    if (last.claim[share] <= most) continue
    broken.push(`claim ${share} ${last.claim[share]} ms at the end, ${first.claim[share]} ms at the beginning`)
  }
  return { broken, notes: [`${describe('at the beginning', first)}; ${describe('at the end', last)}`] }
}

function describe(when: string, { perSecond, claim, claims }: Measured): string {
  const times = `p50 ${claim.p50.toFixed(2)} ms, p99 ${claim.p99.toFixed(2)} ms`
  return `${when} ${perSecond.toFixed(0)}/s, claims ${times} (${claims} seen)`
}
