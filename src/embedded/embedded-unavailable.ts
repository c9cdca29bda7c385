import { AppError } from '../errors.ts'

/**
 * The error for a machine on which the embedded PostgreSQL cannot run at all (`RCV_EMBEDDED_UNAVAILABLE`).
 *
 * `reason` completes the sentence "the embedded PostgreSQL cannot run here: …"; the message ends with the way out.
 */
export function embeddedUnavailable(reason: string, cause?: unknown): AppError {
  const message = `the embedded PostgreSQL cannot run here: ${reason}; set DATABASE_URL to a PostgreSQL 14 or later instead`
  return new AppError('RCV_EMBEDDED_UNAVAILABLE', message, { cause })
}
