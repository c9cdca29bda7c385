import type { Answer } from '../answer.ts'

/** The shape of the one error of YOM's that is publicly known; that tasks use it as well is an assumption. */
export interface YomErrorBody {
  readonly name: string
  readonly message: string
  readonly errorCode: string
  readonly errors: Readonly<Record<string, unknown>>
}

const names: Readonly<Record<number, readonly [name: string, letters: string]>> = {
  400: ['ValidationError', 'VA'],
  401: ['AuthenticationError', 'AU'],
  403: ['ForbiddenError', 'FO'],
  404: ['NotFoundError', 'NF'],
  409: ['ConflictError', 'CO'],
  422: ['IdempotencyKeyReusedError', 'ID'],
  429: ['TooManyRequestsError', 'TM'],
}

/** Words an error: a machine name, a text, and a code of two letters, the status and a number. */
export const yomErrorBody = (
  statusCode: number,
  message: string,
  errors: Readonly<Record<string, unknown>> = {},
  name?: string,
): YomErrorBody => {
  const [ownName, letters] = names[statusCode] ?? ['InternalError', 'IN']
  return { name: name ?? ownName, message, errorCode: `${letters}${statusCode}001`, errors }
}

/** A refusal in YOM's words. */
export const refuse = (statusCode: number, message: string, errors?: Readonly<Record<string, unknown>>): Answer => ({
  statusCode,
  body: yomErrorBody(statusCode, message, errors),
})
