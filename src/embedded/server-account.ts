// PostgreSQL refuses to run as root. For root, this picks an account that exists already and is not root; nothing is
// ever created or changed in the machine's list of accounts.

import { readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { embeddedUnavailable } from './embedded-unavailable.ts'

/** An account of the machine, by its numbers. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Dedicated to PostgreSQL first; `nobody` is on every Linux, macOS and in the slim container images. */
const CANDIDATES: readonly string[] = ['postgres', '_postgres', 'nobody', 'daemon']

/**
 * The account the server must run as, or `undefined` when it runs as whoever started us (an ordinary user, or Windows).
 *
 * `existingData` keeps its owner, so that data made by one account never has to change hands.
 * Throws `RCV_EMBEDDED_UNAVAILABLE` when root has no such account.
 */
export function chooseAccount(existingData?: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const accounts = readAccounts()
  const owner = existingData === undefined ? undefined : statSync(existingData, { throwIfNoEntry: false })
  const byOwner = accounts.find((account) => account.uid === owner?.uid && account.uid !== 0)
  const chosen = byOwner ?? CANDIDATES.map((name) => accounts.find((account) => account.name === name)).find(Boolean)
  if (chosen === undefined) {
    throw embeddedUnavailable(
      `PostgreSQL refuses to run as root, and there is no account among ${CANDIDATES.join(', ')}`,
    )
  }
  return chosen
}

/**
 * Whether `account` may pass through `path` and everything above it, by the mode bits. Access lists are not read: where
 * they matter, the answer errs towards "no" for the usual case of a private directory.
 */
export function canEnter(path: string, account: Account): boolean {
  return hasAccess(path, account, 0o1) && (dirname(path) === path || canEnter(dirname(path), account))
}

/** Whether `account` has all the `bits` (4 read, 2 write, 1 execute or enter) on `path` itself. */
export function hasAccess(path: string, account: Account, bits: number): boolean {
  const { uid, gid, mode } = statSync(path)
  const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0
  return ((mode >> shift) & bits) === bits
}

function readAccounts(): readonly Account[] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 4)
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter(({ uid, gid }) => Number.isInteger(uid) && Number.isInteger(gid) && uid !== 0)
}
