import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { dataDirectoryOf } from './create-cluster.ts'
import { isAlive, isPostmasterOf, readPostmaster } from './postmaster-file.ts'
import { tryLock } from './process-lock.ts'
import type { ServerHome } from './server-home.ts'

/** The lock that a keeper holds for as long as it keeps the server of a home. */
export function lockFileOf(home: ServerHome): string {
  return join(home.path, 'keeper.lock')
}

/** The file in which a keeper names its owner's process, from the time its server is up until it is to be stopped. */
export function ownerFileOf(home: ServerHome): string {
  return join(home.path, 'owner')
}

/**
 * The port of the home's server, when it accepts connections now and somebody keeps it. A server whose keeper is gone
 * would never be stopped, so it does not count.
 */
export function findRunning(home: ServerHome): number | undefined {
  if (!existsSync(lockFileOf(home))) return undefined
  const lock = tryLock(lockFileOf(home))
  lock?.release()
  return lock === undefined ? readyPort(home) : undefined
}

/**
 * The port of the home's server when it accepts connections now. `undefined` also in the moment between the end of its
 * owner and its own: a service that is started again at once must not settle on a server about to stop.
 */
export function readyPort(home: ServerHome): number | undefined {
  const ownerFile = ownerFileOf(home)
  if (!existsSync(ownerFile) || !isAlive(Number(readFileSync(ownerFile, 'utf8')))) return undefined
  const postmaster = readPostmaster(dataDirectoryOf(home))
  if (!postmaster?.isReady || !isPostmasterOf(dataDirectoryOf(home), postmaster.pid)) return undefined
  return postmaster.port
}
