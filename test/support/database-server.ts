// The PostgreSQL of the tests: one for all test files that run at the same time in this checkout, in a program of its own
// that ends by itself when the last of them has ended. Tests join it; nobody has to stop it, so nothing is left behind
// when a run is interrupted or killed.

import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, renameSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { startEmbeddedPostgres } from '../../src/embedded/start-embedded-postgres.ts'

const DIRECTORY = fileURLToPath(new URL('../../.data/test/', import.meta.url))
const ADDRESS_FILE = join(DIRECTORY, 'server-port')
const LOG_FILE = join(DIRECTORY, 'server.log')

/** The first start makes the data, about a second; a machine busy with other tests takes longer. */
const JOIN_TIMEOUT_MS = 60_000
const POLL_MS = 20
/** How long the server waits for the next test file after the last one has ended. */
const IDLE_MS = 5_000

/** Databases with this prefix belong to one test file each, and to nobody once the server starts anew. */
export const TEST_DATABASE_PREFIX = 'test_'

/**
 * The address of the tests' server, started when there is none. It stays for as long as this process lives.
 * Throws when it does not come up, with its log.
 */
export async function joinDatabaseServer(): Promise<string> {
  const deadline = performance.now() + JOIN_TIMEOUT_MS
  let exitCode: number | null | undefined = null
  for (;;) {
    const url = await tryJoining()
    if (url !== undefined) return url
    // 0: another process was faster and has started the server, or is about to stop it.
    if (exitCode !== undefined && exitCode !== null && exitCode > 0) break
    if (performance.now() > deadline) break
    if (exitCode !== undefined) {
      exitCode = undefined
      spawnServer((code) => (exitCode = code ?? 1))
    }
    await pause(POLL_MS)
  }
  throw new Error(`the tests' PostgreSQL did not come up:\n${readFileSync(LOG_FILE, 'utf8')}`)
}

/** The program itself: see the end of this file. */
async function serve(): Promise<void> {
  const postgres = await startEmbeddedPostgres({ directory: join(DIRECTORY, 'postgres'), isThrowaway: true })
  if (!postgres.isOwner) return
  await dropLeftovers(postgres.url)
  const guests = new Set<Socket>()
  let idle: NodeJS.Timeout | undefined
  const waitForGuests = (): void => {
    idle = setTimeout(() => door.close(() => void postgres.stop()), IDLE_MS)
  }
  const door = createServer((guest) => {
    guests.add(guest)
    clearTimeout(idle)
    guest.on('error', () => guest.destroy())
    guest.on('close', () => {
      guests.delete(guest)
      if (guests.size === 0) waitForGuests()
    })
    guest.resume().write(`${postgres.url}\n`)
  })
  waitForGuests()
  door.listen(0, '127.0.0.1', () => {
    const address = door.address()
    if (typeof address !== 'object' || address === null) return
    writeFileSync(`${ADDRESS_FILE}.new`, String(address.port))
    renameSync(`${ADDRESS_FILE}.new`, ADDRESS_FILE)
  })
}

async function dropLeftovers(url: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  const { rows } = await client.query<{ name: string }>(
    'select datname as name from pg_database where starts_with(datname, $1)',
    [TEST_DATABASE_PREFIX],
  )
  for (const { name } of rows) await client.query(`drop database ${pg.escapeIdentifier(name)} with (force)`)
  await client.end()
}

function spawnServer(onExit: (code: number | null) => void): void {
  mkdirSync(DIRECTORY, { recursive: true })
  const log = openSync(LOG_FILE, 'w')
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
    // Without the variables by which tap measures its test processes.
    ...(process.platform === 'win32' ? {} : { env: {} }),
    detached: true,
    stdio: ['ignore', log, log],
    windowsHide: true,
  })
  closeSync(log)
  child.once('exit', onExit)
  child.unref()
}

/** A connection that is held, without keeping this process alive, is what tells the server that it is needed. */
function tryJoining(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const port = readPort()
    if (port === undefined) return resolve(undefined)
    const socket = connect(port, '127.0.0.1')
    let greeting = ''
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      greeting += text
      if (!greeting.includes('\n')) return
      socket.unref()
      resolve(greeting.trim())
    })
    // Nobody there any more, or somebody else by now.
    socket.on('error', () => resolve(undefined))
    socket.on('close', () => resolve(undefined))
  })
}

function readPort(): number | undefined {
  try {
    return Number(readFileSync(ADDRESS_FILE, 'utf8'))
  } catch {
    return undefined
  }
}

if (import.meta.main) await serve()
