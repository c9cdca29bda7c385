// Errors of PostgreSQL and of the way to it, told apart by code and never by their text.
import { AppError } from '../errors.ts'

/** SQLSTATE classes that say the database cannot be used right now, rather than that a statement is wrong. */
const UNAVAILABLE_CLASSES = new Set(['08', '53', '57', '58', '25'])
const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
])
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
  if (code === undefined) return isPoolError(error)
  return SOCKET_CODES.has(code) || (code.length === 5 && UNAVAILABLE_CLASSES.has(code.slice(0, 2)))
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

// pg's pool and client raise plain errors without a code for a time-out of their own and for a connection that ended; their
// texts are the only mark they carry. An unknown error without a code comes from no SQL statement, since those carry one.
function isPoolError(error: unknown): boolean {
  return error instanceof Error && /timeout|terminat|closed|ended|not queryable|Connection/i.test(error.message)
}
