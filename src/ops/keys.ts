// Keys that Reten or a provider calls a connection with. We make them, show them once and keep their digest.
import { randomBytes } from 'node:crypto'
import { AppError } from '../errors.ts'
import { insertKey, listKeys, revokeKey } from '../store/connection-keys.ts'
import type { NewKey, ShownKey } from '../store/connection-keys.ts'
import type { Author } from '../store/write-audit.ts'
import { environmentError, getConnection } from './connections.ts'
import type { ConnectionDeps } from './connections.ts'

/** What a key is for: Reten's dispatches, or the provider's webhooks. */
export type KeyPurpose = NewKey['purpose']

export interface KeyInput {
  readonly purpose: KeyPurpose
  readonly label?: string | undefined
  /** ISO 8601. */
  readonly notBefore?: string | undefined
  /** ISO 8601. */
  readonly notAfter?: string | undefined
  /** The connection's other keys for the same purpose end that many seconds from now. */
  readonly othersEndAfterSeconds?: number | undefined
}

/** A key that was just made; nobody can show `secret` again. */
export interface MadeKey {
  readonly secret: string
  readonly key: ShownKey
  /** How many other keys were given an end. */
  readonly limited: number
}

/** So that a key found in a log or pasted in the wrong place tells what it is; scanners look for such prefixes. */
const PREFIXES: Readonly<Record<KeyPurpose, string>> = Object.freeze({ dispatch: 'rdr_', webhook: 'rdw_' })
const KEY_BYTES = 32

type KeyDeps = Pick<ConnectionDeps, 'db' | 'logger' | 'refresh'>

/** Makes a key for a managed connection. Throws RCV_CONNECTION_NOT_FOUND, RCV_CONNECTION_IS_ENVIRONMENT, RCV_REQUEST_INVALID. */
export async function makeKey(deps: KeyDeps, connection: string, input: KeyInput, author: Author): Promise<MadeKey> {
  const row = await getConnection(deps.db, connection)
  if (row.state === 'archived')
    throw new AppError('RCV_STATE_CONFLICT', `connection ${connection} is archived: add it again`)
  if (row.origin === 'environment') throw environmentError(connection, 'its keys are set')
  checkPeriod(input)
  const secret = PREFIXES[input.purpose] + randomBytes(KEY_BYTES).toString('base64url')
  const { purpose, label, notBefore, notAfter, othersEndAfterSeconds } = input
  const inserted = await insertKey(
    deps.db,
    { connection, purpose, key: secret, label, notBefore, notAfter, othersEndAfterSeconds },
    author,
  )
  if (inserted === undefined) throw new AppError('RCV_KEY_EXISTS', 'this key stands already')
  await announce(deps, 'key.created', connection, inserted.key.id, author)
  return { secret, ...inserted }
}

/** Revokes a key at once and for good. Throws RCV_CONNECTION_NOT_FOUND, RCV_KEY_NOT_FOUND. */
export async function endKey(deps: KeyDeps, connection: string, id: string, author: Author): Promise<void> {
  await getConnection(deps.db, connection)
  const revoked = await revokeKey(deps.db, { connection, id, author })
  if (revoked === undefined) throw new AppError('RCV_KEY_NOT_FOUND', `connection ${connection} has no key ${id}`)
  await announce(deps, 'key.revoked', connection, id, author)
}

/** A connection's keys, without the keys. Throws RCV_CONNECTION_NOT_FOUND. */
export async function findKeys(deps: Pick<KeyDeps, 'db'>, connection: string): Promise<readonly ShownKey[]> {
  await getConnection(deps.db, connection)
  return listKeys(deps.db, connection)
}

function checkPeriod(input: KeyInput): void {
  const { notBefore, notAfter } = input
  if (notBefore === undefined || notAfter === undefined || Date.parse(notBefore) < Date.parse(notAfter)) return
  const message = `must be later than notBefore, ${notBefore}: ${notAfter}`
  throw new AppError('RCV_REQUEST_INVALID', `notAfter ${message}`, { details: [{ path: '/notAfter', message }] })
}

async function announce(
  deps: KeyDeps,
  event: string,
  connection: string,
  keyId: string,
  author: Author,
): Promise<void> {
  const { actor, requestId } = author
  deps.logger.info({ event, connection, keyId, actor, requestId }, `${event.replace('.', ' ')} by ${actor}`)
  await deps.refresh()
}
