// A lock between processes that ends with its holder, whatever ends it. Node has no flock, and a lock file with a pid in
// it outlives kill -9; SQLite, which comes with Node, takes the operating system's file locks on all three systems.

import { DatabaseSync } from 'node:sqlite'

/** A lock that is held. `release` may be called once; the end of the process releases it too. */
export interface ProcessLock {
  release(): void
}

/** SQLITE_BUSY, see https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5

/**
 * Takes the lock named by the file `path`, or answers `undefined` at once when another process holds it.
 *
 * The file is created when missing and stays empty. Not reentrant.
 */
export function tryLock(path: string): ProcessLock | undefined {
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('begin exclusive')
  } catch (error) {
    database.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return undefined
    throw error
  }
  return { release: () => database.close() }
}
