import { spawn } from 'node:child_process'
import type { ChildProcess, StdioOptions } from 'node:child_process'
import { embeddedUnavailable } from './embedded-unavailable.ts'
import type { Account } from './server-account.ts'

/** A started program; `exited` never rejects and gives the exit code, or -1 when a signal ended it. */
export interface RunningProgram {
  readonly pid: number
  readonly child: ChildProcess
  readonly exited: Promise<number>
}

/** Where a program runs: as `account` (see `chooseAccount`), with its terminal output going to `stdio`. */
export interface ProgramOptions {
  readonly account: Account | undefined
  readonly stdio: StdioOptions
}

/**
 * Starts one of PostgreSQL's programs and resolves once the operating system has accepted it.
 *
 * Its environment is empty but for the locale: PG* variables would change what it does, and the service's secrets must
 * not be readable by the server's account. Windows needs some variables of its own to load any program.
 * Throws `RCV_EMBEDDED_UNAVAILABLE` when the program cannot be run on this machine.
 */
export async function startProgram(
  path: string,
  args: readonly string[],
  { account, stdio }: ProgramOptions,
): Promise<RunningProgram> {
  const identity = account === undefined ? {} : { uid: account.uid, gid: account.gid }
  const environment = process.platform === 'win32' ? {} : { env: { LC_ALL: 'C' } }
  // The root directory, because the current one may be one that the account cannot enter.
  const cwd = process.platform === 'win32' ? {} : { cwd: '/' }
  const child = spawn(path, args, { ...identity, ...environment, ...cwd, stdio, windowsHide: true })
  const exited = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? -1)))
  await new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (error) => reject(cannotRun(path, account, error)))
  })
  if (child.pid === undefined) throw cannotRun(path, account, undefined)
  return { pid: child.pid, child, exited }
}

function cannotRun(path: string, account: Account | undefined, cause: unknown): Error {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no process id'
  if (code === 'ENOENT') {
    // The file is there; what is missing is the loader named inside it.
    return embeddedUnavailable(`${path} needs glibc, and this system has another C library (musl?)`, cause)
  }
  return embeddedUnavailable(`${path} does not run as ${account?.name ?? 'this user'} (${code})`, cause)
}
