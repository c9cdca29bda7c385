// Errors of PostgreSQL and of the way to it, told apart by code and never by their text.
import { AppError } from '../errors.ts'

/**
 * SQLSTATE classes that say the database cannot be used right now, rather than that a statement is wrong. 25: it became
 * read-only, as a standby is; 28, 3D: it takes our login or knows our database no longer, or not yet.
 */
const UNAVAILABLE_CLASSES = new Set(['08', '25', '28', '3D', '53', '57', '58'])
const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
])
/** Whether a commit was reached is unknown; the repeat tells. */
const COMPLETION_UNKNOWN = '40003'
/** Deadlock and serialization failure: the same statement succeeds when run again. */
const RUN_AGAIN_CODES = new Set(['40001', '40P01'])

/** The SQLSTATE or socket code of an error, where it carries one. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** A value of the statement is at fault (class 22), e.g. a time beyond what PostgreSQL holds. */
export function isDataError(error: unknown): boolean {
  return errorCode(error)?.startsWith('22') === true && errorCode(error)?.length === 5
}

/** No partition takes the row: PostgreSQL reports it as a check violation without a constraint's name. */
export function isMissingPartition(error: unknown): boolean {
  return (
    errorCode(error) === '23514' &&
    typeof error === 'object' &&
    error !== null &&
    !('constraint' in error && error.constraint)
  )
}

/** A value breaks a rule of its table (a CHECK, or a NULL where there must be none). */
export function isRefusedValue(error: unknown): boolean {
  return errorCode(error) === '23502' || (errorCode(error) === '23514' && !isMissingPartition(error))
}

/** A table or a column is not there: migrations are missing. */
export function isMissingTable(error: unknown): boolean {
  return errorCode(error) === '42P01' || errorCode(error) === '42703'
}

/** A row with this key is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return errorCode(error) === '23505'
}

export function isWorthRunningAgain(error: unknown): boolean {
  return RUN_AGAIN_CODES.has(errorCode(error) ?? '')
}

/** Whether the way to the database, or the database itself, is down: nothing is known about the statement then. */
export function isDatabaseAway(error: unknown): boolean {
  const code = errorCode(error)
  if (code === undefined) return isDriverError(error)
  if (SOCKET_CODES.has(code) || code === COMPLETION_UNKNOWN || isConnecting(error)) return true
  return code.length === 5 && UNAVAILABLE_CLASSES.has(code.slice(0, 2))
}

/** The error to answer with when a statement on behalf of a request did not succeed. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (isDatabaseAway(error) || isWorthRunningAgain(error)) {
    return new AppError('RCV_DATABASE_UNAVAILABLE', 'the database cannot be reached', {
      retryAfterSeconds: 5,
      cause: error,
    })
  }
  return new AppError('RCV_INTERNAL', 'the database refused a statement', { cause: error })
}

/** Any code counts while a socket is being opened, e.g. ENOENT for a Unix socket whose server is down, or EAI_FAIL of a name. */
function isConnecting(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('syscall' in error)) return false
  return error.syscall === 'connect' || error.syscall === 'getaddrinfo'
}

// pg, its pool and Kysely raise plain errors without a code for a time-out of their own and for a connection that ended: the
// text is the only mark they carry. Whole beginnings, since a fault of ours may speak of connections and time-outs as well.
const DRIVER_ERRORS =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client (was closed|has encountered a connection error) and is not queryable|Cannot use a pool after calling end|driver has already been destroyed|Postgres connection has been discarded|There was an error establishing an SSL connection|The server does not support SSL)/

function isDriverError(error: unknown): boolean {
  return error instanceof Error && error.name === 'Error' && DRIVER_ERRORS.test(error.message)
}
