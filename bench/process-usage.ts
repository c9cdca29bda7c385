// What processes used, from /proc. Where there is none (macOS, Windows) the answer is undefined, and the table says so.
import { readFileSync } from 'node:fs'

export interface ProcessUsage {
  readonly cpuMs: number
  /** Greatest resident memory since the process started. */
  readonly peakBytes: number
}

// Linux counts CPU time in ticks of its own; 100 a second on every architecture that Node runs on.
const TICK_MS = 10
// /proc/<pid>/stat, counted behind the program's name, which may hold blanks: user time and system time.
const USER_TICKS_AT = 11
const SYSTEM_TICKS_AT = 12

/** A process's usage, or undefined where it cannot be read. */
export function readUsage(pid: number): ProcessUsage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = Number(fields[USER_TICKS_AT]) + Number(fields[SYSTEM_TICKS_AT])
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    return { cpuMs: ticks * TICK_MS, peakBytes: Number(peak?.[1] ?? 0) * 1_024 }
  } catch {
    return undefined // gone meanwhile, or a system without /proc
  }
}

/** CPU time of several processes; those that are gone count nothing. */
export function readCpu(pids: readonly number[]): ReadonlyMap<number, number> {
  return new Map(pids.map((pid) => [pid, readUsage(pid)?.cpuMs ?? 0]))
}

/** What the processes in `after` used since `before`; one that started meanwhile counts whole. */
export function cpuBetween(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  let sum = 0
  for (const [pid, cpuMs] of after) sum += Math.max(0, cpuMs - (before.get(pid) ?? 0))
  return sum
}
