// Every error this service raises on purpose, by code. A code is never reused; docs/errors.md explains each of them.

interface ErrorKind {
  readonly statusCode: number
  readonly isRetryable: boolean
}

const refused = (statusCode: number): ErrorKind => ({ statusCode, isRetryable: false })
const later = (statusCode: number): ErrorKind => ({ statusCode, isRetryable: true })

/** The closed catalogue: code, HTTP status it is answered with, and whether the same call may succeed later. */
export const ERRORS = Object.freeze({
  RCV_BODY_NOT_JSON: refused(400),
  RCV_BODY_NOT_OBJECT: refused(400),
  RCV_BODY_TOO_DEEP: refused(400),
  RCV_BODY_INVALID: refused(400),
  RCV_ACTIVITY_ID_MISSING: refused(400),
  RCV_QUERY_INVALID: refused(400),
  RCV_REQUEST_INVALID: refused(400),
  RCV_UNAUTHORIZED: refused(401),
  RCV_FORBIDDEN: refused(403),
  RCV_ADMIN_DISABLED: refused(403),
  RCV_ROUTE_NOT_FOUND: refused(404),
  RCV_DISPATCH_NOT_FOUND: refused(404),
  RCV_CONNECTION_NOT_FOUND: refused(404),
  RCV_KEY_NOT_FOUND: refused(404),
  RCV_QUARANTINED_NOT_FOUND: refused(404),
  RCV_RESULT_NOT_FOUND: refused(404),
  RCV_CONNECTION_EXISTS: refused(409),
  RCV_CONNECTION_IS_ENVIRONMENT: refused(409),
  RCV_KEY_EXISTS: refused(409),
  RCV_NOT_CANCELABLE: refused(409),
  RCV_NOT_FAILED: refused(409),
  RCV_NOT_PARKED: refused(409),
  RCV_NOT_BLOCKING: refused(409),
  RCV_RESULT_UNSUITABLE: refused(409),
  RCV_STATE_CONFLICT: refused(409),
  RCV_BODY_TOO_LARGE: refused(413),
  RCV_CONTENT_TYPE: refused(415),
  RCV_CONTENT_ENCODING: refused(415),
  RCV_RATE_LIMITED: later(429),
  RCV_INTERNAL: refused(500),
  RCV_OVERLOADED: later(503),
  RCV_STOPPING: later(503),
  RCV_DATABASE_UNAVAILABLE: later(503),
  RCV_CONFIG_INVALID: refused(500),
  RCV_SECRETS_KEY_MISSING: refused(409),
  RCV_SECRET_UNREADABLE: refused(500),
  RCV_ADAPTER_UNKNOWN: refused(500),
  RCV_ADAPTER_SETTINGS: refused(400),
  RCV_MIGRATIONS_BEHIND: refused(500),
  RCV_MIGRATIONS_AHEAD: refused(500),
  RCV_MIGRATION_BROKEN: refused(500),
  RCV_EMBEDDED_UNAVAILABLE: refused(500),
  RCV_EMBEDDED_START: later(500),
  RCV_COMMAND_INVALID: refused(400),
}) satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERRORS

/** One fault in a body, a query or a setting: a JSON Pointer (or a setting's name) and what is wrong there. */
export interface Fault {
  readonly path: string
  readonly message: string
}

export interface AppErrorOptions {
  readonly details?: readonly Fault[] | undefined
  /** Seconds after which the same call may succeed; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number | undefined
  readonly cause?: unknown
}

/** An error of the catalogue. `message` says what happened and with which value; 5xx messages never leave the process. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly statusCode: number
  readonly isRetryable: boolean
  readonly details: readonly Fault[] | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.statusCode = ERRORS[code].statusCode
    this.isRetryable = ERRORS[code].isRetryable
    this.details = options.details
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}
