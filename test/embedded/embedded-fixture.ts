import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  globSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import type { Test } from 'tap'
import { findBinaries } from '../../src/embedded/find-binaries.ts'
import { readPostmaster } from '../../src/embedded/postmaster-file.ts'
import { startEmbeddedPostgres } from '../../src/embedded/start-embedded-postgres.ts'
import type { EmbeddedPostgres, EmbeddedPostgresOptions } from '../../src/embedded/start-embedded-postgres.ts'
import type { OwnerEnd, OwnerOrder } from './owner.ts'

/** Far above what a start or a stop takes, so that only a fault reaches it. */
const PATIENCE_MS = 20_000
const POLL_MS = 10

/** For test files that start dozens of processes one after the other, on a machine busy with other test files. */
export const SLOW_TEST_MS = 120_000

/** A directory of the test's own that any account can pass through, gone when the test ends. */
export function createDirectory(t: Test): string {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'embedded-'))
  t.teardown(async () => {
    await until(() => processesIn(directory).length === 0, `the end of all processes in ${directory}`)
    rmSync(directory, { recursive: true })
  })
  chmodSync(directory, 0o711)
  return directory
}

/** The options of a start on a directory of the test's own. */
export interface PreparedOptions {
  readonly directory: string
  readonly isThrowaway: boolean
}

/**
 * Gives out directories whose data exist already, as copies of one that is made here: a copy takes a tenth of a second,
 * making data anew a whole one. Throwaway unless told otherwise, since forcing data to disk takes most of a test's time.
 */
export async function prepareDirectories(t: Test, isThrowaway = true): Promise<(t: Test) => PreparedOptions> {
  const original = join(createDirectory(t), 'postgres')
  await (await startEmbeddedPostgres({ directory: original, isThrowaway })).stop()
  return (test) => {
    const directory = join(createDirectory(test), 'postgres')
    cpSync(original, directory, { recursive: true })
    return { directory, isThrowaway }
  }
}

/**
 * The installed package of programs once more at `target`, as npm unpacks it: without the links between libraries.
 * Returns `target`.
 */
export function linkPackage(target: string): string {
  const source = dirname(findBinaries().native)
  for (const name of globSync('**', { cwd: source })) {
    const stat = lstatSync(join(source, name))
    if (stat.isDirectory()) mkdirSync(join(target, name), { recursive: true })
    else if (stat.isFile()) linkFile(join(source, name), join(target, name))
  }
  return target
}

function linkFile(source: string, target: string): void {
  try {
    linkSync(source, target)
  } catch {
    // Another file system, or files of another user.
    copyFileSync(source, target)
  }
}

/** Starts a server in this process; stopped when the test ends. */
export async function startServer(t: Test, options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres(options)
  t.teardown(() => server.stop())
  return server
}

/** The rows of one statement on a connection of its own. */
export async function query(url: string, statement: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: PATIENCE_MS })
  // A server that is killed takes its connections along; the statement's own promise tells.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows
  } finally {
    await client.end()
  }
}

/** A process that owns, or shares, an embedded server. */
export interface OwnerProcess {
  readonly pid: number
  readonly url: string
  readonly port: number
  readonly isOwner: boolean
  /** Lets it end as ordered, or by a signal, and resolves with what its parent sees. */
  end(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

/** Starts a program that owns a server, in a process group of its own as a terminal would; ended when the test ends. */
export async function startOwner(
  t: Test,
  options: EmbeddedPostgresOptions,
  end: OwnerEnd = 'none',
): Promise<OwnerProcess> {
  const order: OwnerOrder = { options, end }
  const program = fileURLToPath(new URL('owner.ts', import.meta.url))
  const child = spawn(process.execPath, [program, JSON.stringify(order)], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const [line] = await once(createInterface(child.stdout), 'line')
  // The program's only line, see owner.ts.
  const { url, port, isOwner }: Omit<OwnerProcess, 'pid' | 'end'> = JSON.parse(String(line))
  return {
    pid: child.pid ?? 0,
    url,
    port,
    isOwner,
    end: async (signal) => {
      if (signal === undefined) child.stdin.write('\n')
      else child.kill(signal)
      const [code, endedBy] = await exited
      return { code, signal: endedBy }
    },
  }
}

/** One of a server's processes. */
export interface ServerPart {
  readonly pid: number
  readonly command: string
}

/** Every process whose current directory is inside `directory`: the keeper, the server and all of its workers. */
export function processesIn(directory: string): readonly ServerPart[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    try {
      if (!readlinkSync(`/proc/${pid}/cwd`).startsWith(directory)) return []
      return [{ pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') }]
    } catch {
      // It ended between the listing and the look, or is somebody else's.
      return []
    }
  })
}

/** The server of a directory, as it names itself. Throws while there is none. */
export function findServer(directory: string): number {
  const postmaster = readPostmaster(join(directory, 'data'))
  if (postmaster === undefined) throw new Error(`no server in ${directory}`)
  return postmaster.pid
}

/** The keeper of a directory's server. Throws while there is none. */
export function findKeeper(directory: string): number {
  const keeper = processesIn(directory).find(({ command }) => command.includes('keeper.ts'))
  if (keeper === undefined) throw new Error(`no keeper in ${directory}`)
  return keeper.pid
}

/** Resolves once the condition holds; what throws does not hold yet. Throws when it never does. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    if (
      await Promise.resolve()
        .then(condition)
        .catch(() => false)
    )
      return
    if (performance.now() > deadline) throw new Error(`waited ${PATIENCE_MS} ms for ${what}`)
    await pause(POLL_MS)
  }
}
