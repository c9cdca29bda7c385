// Decides where a server's files live. Normally in the directory asked for. Only root can be asked for a directory that
// the server's own account cannot enter (a checkout below /root); then they live in a directory of the system.

import { createHash, randomUUID } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { AppError } from '../errors.ts'
import { embeddedUnavailable } from './embedded-unavailable.ts'
import { canEnter, chooseAccount } from './server-account.ts'
import type { Account } from './server-account.ts'

/** Where a server's files are, and whom they belong to; `account` is absent unless we are root. */
export interface ServerHome {
  readonly path: string
  readonly account: Account | undefined
}

/**
 * The data must stay for good. /var/tmp comes second because systemd empties it of what nobody read for 30 days, which
 * includes files a healthy PostgreSQL never reads; it is for systems without a /var/lib that can be written to.
 */
export const SYSTEM_DIRECTORIES: readonly string[] = ['/var/lib', '/var/tmp']
const SYSTEM_NAME = 'reten-dispatch-receiver'

/** Kept in a directory whose data live elsewhere; says where. */
const ELSEWHERE = 'elsewhere.json'

interface Note {
  /** The directory that the note was written in, by which a copy and a move are told apart. */
  readonly directory: string
  readonly home: string
}

/**
 * Prepares the home of the server that belongs to `directory`, private to its user.
 *
 * The answer is the same at each start. Throws `RCV_EMBEDDED_UNAVAILABLE` when root finds no account or no place,
 * `RCV_EMBEDDED_START` when the directory is another user's, or holds data that the account can no longer reach.
 */
export function prepareHome(directory: string, systemDirectories = SYSTEM_DIRECTORIES): ServerHome {
  mkdirSync(dirname(directory), { recursive: true })
  if (!existsSync(directory)) mkdirSync(directory)
  const path = realpathSync(directory)
  const account = chooseAccount(join(path, 'data'))
  makePrivate(path, account)
  if (account === undefined) return { path, account }
  const elsewhere = findElsewhere(path)
  if (elsewhere === undefined && canEnter(path, account)) return { path, account }
  if (elsewhere === undefined && existsSync(join(path, 'data'))) throw unreachable(join(path, 'data'), account)
  return prepareElsewhere(elsewhere ?? chooseElsewhere(path, systemDirectories))
}

/**
 * A directory that every account can enter and only root can change, for what root shares with the server's account.
 * Throws `RCV_EMBEDDED_UNAVAILABLE` when the system has none.
 */
export function systemDirectory(parents = SYSTEM_DIRECTORIES): string {
  for (const parent of parents) {
    const path = join(parent, SYSTEM_NAME)
    if (makeSystemDirectory(path)) return path
  }
  throw embeddedUnavailable(`root can keep data neither in ${parents.join(' nor in ')}`)
}

/** Where the data of this directory already live, if not in it. */
function findElsewhere(directory: string): string | undefined {
  const note = join(directory, ELSEWHERE)
  const noted = existsSync(note) ? readNote(note) : undefined
  if (noted === undefined) return undefined
  if (noted.directory === directory) return noted.home
  // A copied checkout brings its original's note along and must not share its data; a moved one must find them again.
  rmSync(note)
  return existsSync(noted.directory) ? undefined : writeNote(note, { directory, home: noted.home })
}

/** Random as well as derived, so that a directory made anew at the same place starts with fresh data. */
function chooseElsewhere(directory: string, systemDirectories: readonly string[]): string {
  const name = createHash('sha256').update(`${directory}\n${randomUUID()}`).digest('hex').slice(0, 16)
  const home = join(systemDirectory(systemDirectories), name)
  return writeNote(join(directory, ELSEWHERE), { directory, home })
}

function prepareElsewhere(path: string): ServerHome {
  mkdirSync(path, { recursive: true })
  const account = chooseAccount(join(path, 'data'))
  makePrivate(path, account)
  return { path, account }
}

function unreachable(data: string, { name }: Account): AppError {
  const message = `the account ${name} cannot reach ${data}: let it pass through the directories above (chmod o+x)`
  return new AppError('RCV_EMBEDDED_START', message)
}

/**
 * For root, the home stays root's and the server's account may only pass through to the data, which it owns: that
 * account may be shared with other programs, and must not be able to plant links where root writes.
 */
function makePrivate(path: string, account: Account | undefined): void {
  const { uid } = statSync(path)
  if (account !== undefined) {
    if (uid === 0) chmodSync(path, 0o711)
    return
  }
  const ourselves = process.getuid?.()
  if (ourselves !== undefined && uid !== ourselves) {
    const message = `${path} belongs to the user with id ${uid}: start as that user, or remove it`
    throw new AppError('RCV_EMBEDDED_START', message)
  }
  chmodSync(path, 0o700)
}

/** The home noted: ours, or that of a process that was faster by a moment. A note appears whole or not at all. */
function writeNote(path: string, note: Note): string {
  const unfinished = `${path}.${process.pid}`
  writeFileSync(unfinished, JSON.stringify(note))
  try {
    linkSync(unfinished, path)
  } catch (error) {
    if (!existsSync(path)) throw error
  } finally {
    rmSync(unfinished)
  }
  return readNote(path)?.home ?? note.home
}

function readNote(path: string): Note | undefined {
  const note: unknown = JSON.parse(readFileSync(path, 'utf8'))
  if (typeof note !== 'object' || note === null || !('directory' in note) || !('home' in note)) return undefined
  if (typeof note.directory !== 'string' || typeof note.home !== 'string') return undefined
  return { directory: note.directory, home: note.home }
}

/** Anybody can make directories in /var/tmp: one that is not root's alone is not trusted with programs we run. */
function makeSystemDirectory(path: string): boolean {
  try {
    if (!existsSync(path)) {
      mkdirSync(path)
      chmodSync(path, 0o755)
    }
    const stat = lstatSync(path)
    return stat.isDirectory() && stat.uid === 0 && (stat.mode & 0o022) === 0
  } catch {
    // Not there or not writable: the caller tries the next, and says so when none is left.
    return false
  }
}
