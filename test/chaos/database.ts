// A PostgreSQL of a scenario's own, as durable as the service's, that can be stopped in every way and started again.
import { EventEmitter } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { createCluster, dataDirectoryOf, passwordFileOf } from '../../src/embedded/create-cluster.ts'
import { findBinaries, programPath } from '../../src/embedded/find-binaries.ts'
import { findFreePort } from '../../src/embedded/free-port.ts'
import { readPostmaster } from '../../src/embedded/postmaster-file.ts'
import { prepareBinaries } from '../../src/embedded/prepare-binaries.ts'
import { startProgram } from '../../src/embedded/run-program.ts'
import type { RunningProgram } from '../../src/embedded/run-program.ts'
import { prepareHome, SYSTEM_DIRECTORIES } from '../../src/embedded/server-home.ts'
import { DATABASE_NAME, serverArguments, USER_NAME } from '../../src/embedded/server-settings.ts'
import type { Scope } from '../support/scope.ts'

/** How a server is stopped: `fast` ends every session in order, `immediate` ends every process as a crash would. */
export type StopMode = 'fast' | 'immediate'

export interface ChaosDatabase {
  /** Of the service's own database, without tables yet. */
  readonly url: string
  /** Hands over what the server logs from now on, in pieces; what it answers ends that. */
  watchLog(listener: (text: string) => void): () => void
  /** One statement on a connection of its own. */
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>
  /** A session that lasts until the scenario ends, or until the server or somebody else ends it. */
  connect(): Promise<pg.Client>
  /** Stops the server, leaves it down for `downMs`, and resolves when it accepts connections again. */
  restart(mode: StopMode, downMs: number): Promise<void>
}

const SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const
const POLL_MS = 10

/** Starts a server on a new directory; `settings` are PostgreSQL's own and win over ours. Gone, with its data, when `scope` ends. */
export async function startDatabase(
  scope: Scope,
  settings: Readonly<Record<string, string>> = {},
): Promise<ChaosDatabase> {
  const directory = mkdtempSync(join(tmpdir(), 'receiver-chaos-'))
  scope.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const home = prepareHome(directory)
  // Root's data may live elsewhere than in the directory that names them.
  scope.teardown(() => rmSync(home.path, { recursive: true, force: true }))
  const native = prepareBinaries({ binaries: findBinaries(), home, systemDirectories: SYSTEM_DIRECTORIES })
  await createCluster(home, { native, isThrowaway: false })
  const data = dataDirectoryOf(home)
  const port = await findFreePort()
  const more = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const log = new EventEmitter<{ text: [string] }>()

  const start = async (): Promise<RunningProgram> => {
    const args = [...serverArguments(data, { isThrowaway: false, port }), ...more]
    const program = await startProgram(programPath(native, 'postgres'), args, {
      account: home.account,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    program.child.stderr?.setEncoding('utf8').on('data', (text: string) => log.emit('text', text))
    let said = ''
    const keep = (text: string): void => void (said += text)
    log.on('text', keep)
    let isOver = false
    void program.exited.then(() => (isOver = true))
    while (!isOver && !(readPostmaster(data)?.pid === program.pid && readPostmaster(data)?.isReady === true)) {
      await pause(POLL_MS)
    }
    log.off('text', keep)
    if (isOver) throw new Error(`PostgreSQL ended at its start:\n${said}`)
    return program
  }

  let server = await start()
  const onExit = (): void => void server.child.kill('SIGQUIT')
  process.once('exit', onExit)
  scope.teardown(async () => {
    server.child.kill('SIGQUIT')
    await server.exited
    process.off('exit', onExit)
  })
  const password = readFileSync(passwordFileOf(home), 'utf8')
  const url = `postgres://${USER_NAME}:${password}@127.0.0.1:${port}/${DATABASE_NAME}`
  return {
    url,
    watchLog: (listener) => {
      log.on('text', listener)
      return () => void log.off('text', listener)
    },
    query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) => {
      const client = new pg.Client(url)
      client.on('error', () => {}) // it is told by the query as well
      await client.connect()
      try {
        return (await client.query<Row>(text, values)).rows
      } finally {
        await client.end()
      }
    },
    connect: async () => {
      const client = new pg.Client(url)
      client.on('error', () => {}) // whoever uses it is told by the statement
      await client.connect()
      scope.teardown(() => client.end())
      return client
    },
    restart: async (mode, downMs) => {
      server.child.kill(SIGNALS[mode])
      await server.exited
      await pause(downMs)
      server = await start()
    },
  }
}
