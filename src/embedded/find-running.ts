import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { dataDirectoryOf } from './create-cluster.ts'
import { isPostmasterOf, readPostmaster } from './postmaster-file.ts'
import { tryLock } from './process-lock.ts'
import type { ServerHome } from './server-home.ts'

/** The lock that a keeper holds for as long as it keeps the server of a home. */
export function lockFileOf(home: ServerHome): string {
  return join(home.path, 'keeper.lock')
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

/** The port of the home's server when it accepts connections now, kept or not. */
export function readyPort(home: ServerHome): number | undefined {
  const postmaster = readPostmaster(dataDirectoryOf(home))
  if (!postmaster?.isReady || !isPostmasterOf(dataDirectoryOf(home), postmaster.pid)) return undefined
  return postmaster.port
}
