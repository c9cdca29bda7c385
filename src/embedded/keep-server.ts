// A keeper's work: take the home's lock, bring the server up from whatever state the last run left, start it again when
// it dies, and stop it when the owner is gone.
//
//   lock taken ──► data made if missing ──► leftovers cleared ──► started ◄──► crashed
//   lock held by another keeper ──► shared                           └─owner gone──► stopped, lock released

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '../errors.ts'
import { pause } from '../time.ts'
import { createCluster, dataDirectoryOf, throwawayMarkOf } from './create-cluster.ts'
import { lockFileOf, ownerFileOf, readyPort } from './find-running.ts'
import { findFreePort, isPortFree } from './free-port.ts'
import type { KeeperMessage, KeeperOrder } from './keeper-messages.ts'
import { isAlive, isPostmasterOf, readPostmaster } from './postmaster-file.ts'
import { prepareBinaries } from './prepare-binaries.ts'
import { tryLock } from './process-lock.ts'
import type { ProcessLock } from './process-lock.ts'
import type { ServerHome } from './server-home.ts'
import { startServer, stopServer } from './server-process.ts'
import type { ServerProcess } from './server-process.ts'

/** What a keeper needs: how to talk to its owner, and `ownerGone`, which aborts when the owner ended or let go. */
export interface KeeperContext {
  readonly order: KeeperOrder
  readonly ownerGone: AbortSignal
  readonly send: (message: KeeperMessage) => void
}

const LOCK_POLL_MS = 20
/** Another keeper makes data, recovers or stops within this time; or its server cannot be seen, as from a container. */
const LOCK_TIMEOUT_MS = 60_000
/** Ports of a race lost one after the other; more is no race. */
const MAX_PORT_RETRIES = 20
/** After a crash the last server's processes need a moment to notice before a new one may start. */
const LEFTOVERS_MS = 10_000
const LEFTOVERS_POLL_MS = 100
/** A server that crashes more often than this a minute is not helped by starting it again. */
const MAX_CRASHES_A_MINUTE = 5
const MINUTE_MS = 60_000

/**
 * Keeps the server until the owner is gone, then stops it; returns at once when another keeper's server can be shared.
 *
 * Throws `RCV_EMBEDDED_UNAVAILABLE` or `RCV_EMBEDDED_START`; nothing is left running then.
 */
export async function keepServer({ order, ownerGone, send }: KeeperContext): Promise<void> {
  const lock = await lockOrShare(order.home, ownerGone)
  if (typeof lock === 'number') return send({ kind: 'shared', port: lock })
  if (lock === undefined) return
  try {
    await keepWithLock({ order, ownerGone, send })
  } finally {
    lock.release()
  }
}

async function lockOrShare(home: ServerHome, ownerGone: AbortSignal): Promise<ProcessLock | number | undefined> {
  const deadline = performance.now() + LOCK_TIMEOUT_MS
  while (!ownerGone.aborted) {
    const lock = tryLock(lockFileOf(home))
    if (lock !== undefined) return lock
    const port = readyPort(home)
    if (port !== undefined) return port
    if (performance.now() > deadline) {
      const message = `another process has held ${lockFileOf(home)} for ${LOCK_TIMEOUT_MS} ms without a server to share`
      throw new AppError('RCV_EMBEDDED_START', message)
    }
    await pause(LOCK_POLL_MS, ownerGone)
  }
  return undefined
}

async function keepWithLock({ order, ownerGone, send }: KeeperContext): Promise<void> {
  const native = prepareBinaries(order)
  refuseOtherKind(order)
  await clearLeftovers(native, order)
  await createCluster(order.home, { native, isThrowaway: order.isThrowaway })
  const data = dataDirectoryOf(order.home)
  const gone = new Promise<'gone'>((resolve) => ownerGone.addEventListener('abort', () => resolve('gone')))
  const crashes: number[] = []
  while (!ownerGone.aborted) {
    const server = await startOnAnyPort(native, order)
    writeFileSync(ownerFileOf(order.home), String(order.ownerPid))
    send({ kind: 'started', port: server.port })
    const end = ownerGone.aborted ? 'gone' : await Promise.race([gone, server.exited])
    rmSync(ownerFileOf(order.home), { force: true })
    if (end === 'gone') return stopServer(native, data, server.pid)
    crashes.push(performance.now())
    if (crashes.filter((at) => at > performance.now() - MINUTE_MS).length > MAX_CRASHES_A_MINUTE) {
      throw new AppError(
        'RCV_EMBEDDED_START',
        `the embedded PostgreSQL ended ${crashes.length} times, last with ${end}`,
      )
    }
    send({ kind: 'crashed', exitCode: end })
  }
}

/** What is thrown away after a crash must never be what somebody relies on. */
function refuseOtherKind({ home, isThrowaway }: KeeperOrder): void {
  if (!existsSync(dataDirectoryOf(home)) || existsSync(throwawayMarkOf(home)) === isThrowaway) return
  const kinds = isThrowaway ? 'durable data, not to be used as throwaway' : 'throwaway data, not to be relied on'
  throw new AppError('RCV_EMBEDDED_START', `${home.path} holds ${kinds}`)
}

/** A server whose keeper was killed is stopped; a lock file whose number went to another process is removed. */
async function clearLeftovers(native: string, { home, isThrowaway }: KeeperOrder): Promise<void> {
  const data = dataDirectoryOf(home)
  const pidFile = join(data, 'postmaster.pid')
  const leftover = readPostmaster(data)
  if (leftover !== undefined) await stopServer(native, data, leftover.pid)
  if (!existsSync(pidFile)) return
  // Without fsync nobody knows what a crash left of the data.
  if (isThrowaway) rmSync(data, { recursive: true })
  // A power cut can leave the file empty, which PostgreSQL takes for a server about to start. A number of no process it
  // understands by itself, and it waits for nothing but the old server's shared memory, whatever the file says.
  else if (leftover === undefined || isOtherProcess(leftover.pid, data)) rmSync(pidFile)
}

function isOtherProcess(pid: number, data: string): boolean {
  return isAlive(pid) && !isPostmasterOf(data, pid)
}

/** On the port of the last time where possible, so that an address noted somewhere stays true. */
async function startOnAnyPort(native: string, { home, isThrowaway }: KeeperOrder): Promise<ServerProcess> {
  const portFile = join(home.path, 'port')
  const lastPort = existsSync(portFile) ? Number(readFileSync(portFile, 'utf8')) : 0
  const deadline = performance.now() + LEFTOVERS_MS
  for (let retries = 0; ; retries += 1) {
    const port = await findFreePort(lastPort)
    const wasClean = !existsSync(join(dataDirectoryOf(home), 'postmaster.pid'))
    try {
      const server = await startServer(native, home, { isThrowaway, port })
      writeFileSync(portFile, String(port))
      return server
    } catch (error) {
      const lostPort = !(await isPortFree(port)) && retries < MAX_PORT_RETRIES
      const mayHaveLeftovers = !wasClean && performance.now() < deadline
      if (!lostPort && !mayHaveLeftovers) throw error
      if (!lostPort) await pause(LEFTOVERS_POLL_MS, new AbortController().signal)
    }
  }
}
