import { AppError } from '../errors.ts'

/** Longer is a report, not a reason. */
export const MAX_REASON_LENGTH = 500

/** Throws RCV_REQUEST_INVALID where an operator gives no reason, or a text instead of one. */
export function checkReason(reason: string): void {
  if (reason.trim() !== '' && reason.length <= MAX_REASON_LENGTH) return
  const message = `must be 1 to ${MAX_REASON_LENGTH} characters that say why`
  throw new AppError('RCV_REQUEST_INVALID', `reason ${message}`, { details: [{ path: '/reason', message }] })
}

/** The schema of a reason in a request. */
export const REASON_SCHEMA = Object.freeze({
  type: 'string',
  minLength: 1,
  maxLength: MAX_REASON_LENGTH,
  pattern: '\\S',
  description: 'Why; kept in the audit log.',
})
