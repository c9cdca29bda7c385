// From measurements to lines with a target, and to the table that is printed.
import Table from 'cli-table3'
import type { Measurement } from './measure.ts'
import { spreadOf } from './statistics.ts'
import type { Spread } from './statistics.ts'
import type { TargetName } from './targets.ts'

export type Rounds = Readonly<Record<TargetName, readonly Measurement[]>>

export interface Results {
  readonly rounds: Rounds
  /** This service at a constant rate. */
  readonly steady: Measurement
  readonly steadyPerSecond: number
}

/** One line of the table. */
export interface Line {
  readonly line: string
  readonly ours: string
  readonly other: string
  readonly ratio: string
  readonly target: string
  readonly result: 'met' | 'not met' | ''
}

// What is promised; docs/performance.md says why these.
const LEAST_TIMES_PEER = 6
const LEAST_SHARE_OF_NO_STORE = 0.35
const MOST_P99_MS = 25
const MOST_MEMORY_BYTES = 200 * 1024 * 1024

const MEGABYTE = 1024 * 1024

/** The lines of the table. Every figure is the median of the rounds, every ratio the median of the rounds' own ratios. */
export function linesOf({ rounds, steady, steadyPerSecond }: Results): readonly Line[] {
  return [
    rateLine('acknowledged a second, beside pg-boss send()', rounds, 'pg-boss', LEAST_TIMES_PEER),
    rateLine('… beside graphile-worker addJob()', rounds, 'graphile-worker', LEAST_TIMES_PEER),
    rateLine('… beside the same app without a store', rounds, 'no store', LEAST_SHARE_OF_NO_STORE),
    ...latencyLines(rounds, steady, steadyPerSecond),
    memoryLine(rounds, steady),
    cpuLine(rounds),
    {
      line: 'the load generator itself, at the peak',
      ours: share(spreadOf(rounds.service.map((round) => round.generatorCores)).median),
      other: share(spreadOf(rounds['no store'].map((round) => round.generatorCores)).median) + ' (no store)',
      ratio: '',
      target: '',
      result: '',
    },
  ]
}

/** The table as text. */
export function tableOf(lines: readonly Line[]): string {
  const table = new Table({
    head: ['', 'this service', 'beside', 'ratio: median (spread)', 'target', ''],
    style: { head: [], border: [], compact: true },
  })
  for (const { line, ours, other, ratio, target, result } of lines)
    table.push([line, ours, other, ratio, target, result])
  return table.toString()
}

function rateLine(line: string, rounds: Rounds, peer: TargetName, least: number): Line {
  const ratios = rounds.service.map(({ perSecond }, index) => perSecond / (rounds[peer][index]?.perSecond ?? NaN))
  const ratio = spreadOf(ratios)
  return {
    line,
    ours: rate(spreadOf(rounds.service.map((round) => round.perSecond))),
    other: rate(spreadOf(rounds[peer].map((round) => round.perSecond))),
    ratio: `${ratio.median.toFixed(2)} (${ratio.least.toFixed(2)} to ${ratio.greatest.toFixed(2)})`,
    target: `at least ${least}`,
    result: ratio.median >= least ? 'met' : 'not met',
  }
}

function latencyLines(rounds: Rounds, steady: Measurement, steadyPerSecond: number): Line[] {
  const p99 = spreadOf(rounds.service.map((round) => round.p99Ms))
  const beside = (['pg-boss', 'graphile-worker', 'no store'] as const).map(
    (name) => `${spreadOf(rounds[name].map((round) => round.p99Ms)).median.toFixed(1)} (${name})`,
  )
  return [
    {
      line: 'p99 in ms at the peak of each',
      ours: p99.median.toFixed(1),
      other: beside.join('\n'),
      ratio: `(${p99.least.toFixed(1)} to ${p99.greatest.toFixed(1)})`,
      target: `at most ${MOST_P99_MS}`,
      result: p99.median <= MOST_P99_MS ? 'met' : 'not met',
    },
    {
      line: `p99 in ms at ${Math.round(steadyPerSecond)}/s, half the peak`,
      ours: steady.p99Ms.toFixed(1),
      other: `p50 ${steady.p50Ms.toFixed(1)}, max ${steady.maxMs.toFixed(1)}`,
      ratio: '',
      target: `at most ${MOST_P99_MS}`,
      result: steady.p99Ms <= MOST_P99_MS ? 'met' : 'not met',
    },
  ]
}

function memoryLine(rounds: Rounds, steady: Measurement): Line {
  const most = mostMemory([...rounds.service, steady])
  const beside = (['pg-boss', 'graphile-worker', 'no store'] as const).map(
    (name) => `${megabytes(mostMemory(rounds[name]))} (${name})`,
  )
  return {
    line: 'resident memory in MB, greatest of all rounds',
    ours: megabytes(most),
    other: beside.join('\n'),
    ratio: '',
    target: `at most ${MOST_MEMORY_BYTES / MEGABYTE}`,
    result: most === undefined ? '' : most <= MOST_MEMORY_BYTES ? 'met' : 'not met',
  }
}

/** How much of the machine one acknowledgement costs; what the load generator used is not in it. */
function cpuLine(rounds: Rounds): Line {
  const micros = (name: TargetName): string => {
    const values = rounds[name].flatMap(({ processCores, databaseCores, perSecond }) =>
      processCores === undefined || databaseCores === undefined
        ? []
        : [{ process: (processCores / perSecond) * 1e6, database: (databaseCores / perSecond) * 1e6 }],
    )
    if (values.length === 0) return 'not known on this system'
    const process = spreadOf(values.map((value) => value.process)).median
    const database = spreadOf(values.map((value) => value.database)).median
    return `${process.toFixed(0)} + ${database.toFixed(0)}`
  }
  const beside = (['pg-boss', 'graphile-worker', 'no store'] as const).map((name) => `${micros(name)} (${name})`)
  return {
    line: 'CPU in µs per acknowledgement, process + PostgreSQL',
    ours: micros('service'),
    other: beside.join('\n'),
    ratio: '',
    target: '',
    result: '',
  }
}

function mostMemory(measurements: readonly Measurement[]): number | undefined {
  const known = measurements.flatMap(({ peakMemoryBytes }) => (peakMemoryBytes === undefined ? [] : [peakMemoryBytes]))
  return known.length === 0 ? undefined : Math.max(...known)
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? 'not known on this system' : (bytes / MEGABYTE).toFixed(0)
}

function rate({ median, least, greatest }: Spread): string {
  return `${median.toFixed(0)} (${least.toFixed(0)} to ${greatest.toFixed(0)})`
}

function share(cores: number): string {
  return `${(cores * 100).toFixed(0)} % of a core`
}
