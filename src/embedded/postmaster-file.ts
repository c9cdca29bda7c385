// Reads what a running PostgreSQL says about itself: the file postmaster.pid in its data directory.
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/utils/pidfile.h

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The parts of postmaster.pid we use. `isReady`: it accepts connections. */
export interface Postmaster {
  readonly pid: number
  readonly port: number
  readonly isReady: boolean
}

/** What postmaster.pid says, true or stale; `undefined` when there is none or it is not complete yet. */
export function readPostmaster(dataDirectory: string): Postmaster | undefined {
  const lines = readIfThere(join(dataDirectory, 'postmaster.pid'))?.split('\n')
  if (lines === undefined) return undefined
  const [pid, port] = [Number(lines[0]), Number(lines[3])]
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  return { pid, port, isReady: lines[7]?.trim() === 'ready' }
}

/**
 * Whether the process `pid` is alive and the server of this data directory. After a crash the number in the file may
 * have gone to any other process, one of ours included.
 */
export function isPostmasterOf(dataDirectory: string, pid: number): boolean {
  const needle = process.platform === 'win32' ? 'postgres.exe' : `postgres -D ${dataDirectory} `
  return isAlive(pid) && commandLine(pid).includes(needle)
}

/** Whether there is a process `pid`, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** Empty when it cannot be found out, as for a process that ended just now. Windows tells the program's name only. */
function commandLine(pid: number): string {
  if (process.platform === 'linux') return (readIfThere(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ')
  const [program, ...args] =
    process.platform === 'win32'
      ? ['tasklist', '/nh', '/fo', 'csv', '/fi', `pid eq ${pid}`]
      : ['ps', '-ww', '-o', 'args=', '-p', String(pid)]
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], windowsHide: true })
  } catch {
    // ps answers an unknown pid by its exit code.
    return ''
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
}
