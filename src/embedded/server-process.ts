// One run of the PostgreSQL server: started and awaited until it accepts connections, stopped until it is gone.

import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../errors.ts'
import { pause } from '../time.ts'
import { dataDirectoryOf } from './create-cluster.ts'
import { programPath } from './find-binaries.ts'
import { isPostmasterOf, readPostmaster } from './postmaster-file.ts'
import { startProgram } from './run-program.ts'
import type { RunningProgram } from './run-program.ts'
import type { ServerHome } from './server-home.ts'
import { serverArguments } from './server-settings.ts'
import type { ServerSettings } from './server-settings.ts'

/** A server that accepts connections; `exited` never rejects. */
export interface ServerProcess {
  readonly pid: number
  readonly port: number
  readonly exited: Promise<number>
}

/** Fast enough not to be felt; a start takes about 50 ms. */
const POLL_MS = 5
/** A fast shutdown writes a checkpoint, which a slow disk may take this long for. */
const FAST_STOP_MS = 15_000
/** An immediate shutdown only ends processes; the next start replays the log. */
const IMMEDIATE_STOP_MS = 5_000
/** Beyond this size the log of earlier starts is put aside, one generation. */
const MAX_LOG_BYTES = 5 * 1024 * 1024
const QUOTED_LOG_LINES = 20

const never = new AbortController().signal

/** The server's log inside a home. */
export function logFileOf(home: ServerHome): string {
  return join(home.path, 'server.log')
}

/**
 * Starts the server and resolves when it accepts connections; however long it takes to recover after a crash.
 *
 * Throws `RCV_EMBEDDED_START` with the log's last lines when it ends instead. The caller holds the home's lock.
 */
export async function startServer(native: string, home: ServerHome, settings: ServerSettings): Promise<ServerProcess> {
  const data = dataDirectoryOf(home)
  const log = openLog(logFileOf(home))
  const program = await startProgram(programPath(native, 'postgres'), serverArguments(data, settings), {
    account: home.account,
    stdio: ['ignore', log.descriptor, log.descriptor],
  }).finally(() => closeSync(log.descriptor))
  const code = await readyOrExited(program, data)
  if (code !== undefined) {
    const words = readFileSync(logFileOf(home)).subarray(log.size).toString().trim()
    const lastLines = words.split('\n').slice(-QUOTED_LOG_LINES).join('\n')
    throw new AppError(
      'RCV_EMBEDDED_START',
      `the embedded PostgreSQL ended with code ${code} at its start:\n${lastLines}`,
    )
  }
  return { pid: program.pid, port: settings.port, exited: program.exited }
}

/**
 * Stops the server of a data directory and resolves when it is gone: connections are closed at once and all is written;
 * if that takes too long, without writing (the next start recovers); if even that does, by force.
 */
export async function stopServer(native: string, dataDirectory: string, pid: number): Promise<void> {
  for (const [signal, waitMs] of [
    ['INT', FAST_STOP_MS],
    ['QUIT', IMMEDIATE_STOP_MS],
    ['KILL', IMMEDIATE_STOP_MS],
  ] as const) {
    if (!isPostmasterOf(dataDirectory, pid)) return
    sendSignal(native, pid, signal)
    const deadline = performance.now() + waitMs
    while (isPostmasterOf(dataDirectory, pid) && performance.now() < deadline) await pause(POLL_MS, never)
  }
}

async function readyOrExited(program: RunningProgram, dataDirectory: string): Promise<number | undefined> {
  let code: number | undefined
  void program.exited.then((exitCode) => (code = exitCode))
  for (;;) {
    const postmaster = readPostmaster(dataDirectory)
    if (code !== undefined || (postmaster?.pid === program.pid && postmaster.isReady)) return code
    await pause(POLL_MS, never)
  }
}

function sendSignal(native: string, pid: number, signal: 'INT' | 'QUIT' | 'KILL'): void {
  try {
    // Windows has no signals; PostgreSQL brings its own, by named pipe.
    if (process.platform !== 'win32') process.kill(pid, `SIG${signal}`)
    else
      execFileSync(programPath(native, 'pg_ctl'), ['kill', signal, String(pid)], { stdio: 'ignore', windowsHide: true })
  } catch {
    // It ended by itself in the meantime; the caller looks.
  }
}

function openLog(path: string): { descriptor: number; size: number } {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size <= MAX_LOG_BYTES) return { descriptor: openSync(path, 'a', 0o600), size }
  rmSync(`${path}.old`, { force: true })
  renameSync(path, `${path}.old`)
  return { descriptor: openSync(path, 'a', 0o600), size: 0 }
}
