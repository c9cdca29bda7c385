// The only place where an error becomes an answer. 4xx say what is wrong and where; 5xx reveal nothing, the log has it all.
import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AppError } from './errors.ts'
import type { ErrorCode } from './errors.ts'
import { isDatabaseAway, toAppError } from './store/database-errors.ts'
import type { ErrorAnswer } from './schema-types.ts'

/** Fastify's own refusals, by its code; any other client error of it keeps its status and gets RCV_REQUEST_INVALID. */
const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = Object.freeze({
  FST_ERR_CTP_BODY_TOO_LARGE: 'RCV_BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'RCV_CONTENT_TYPE',
  FST_ERR_CTP_INVALID_JSON_BODY: 'RCV_BODY_NOT_JSON',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'RCV_BODY_NOT_JSON',
})

const HIDDEN_MESSAGE = 'this request could not be served; the log knows why by its request id'

/** Gives `app` one error handler and one 404 handler, both answering in the shape of schemas/error.json. */
export function registerErrorHandler(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError | AppError, request, reply) => {
    sendError(request, reply, translate(error))
  })
  app.setNotFoundHandler((request, reply) => {
    const [path] = request.url.split('?', 1)
    sendError(request, reply, new AppError('RCV_ROUTE_NOT_FOUND', `there is no ${request.method} ${path ?? ''}`))
  })
}

/** Answers with an error of the catalogue; logs it where it is ours. */
export function sendError(request: FastifyRequest, reply: FastifyReply, error: AppError): void {
  if (error.statusCode >= 500)
    request.log.error({ event: 'request.failed', code: error.code, err: error }, error.message)
  if (error.retryAfterSeconds !== undefined) void reply.header('retry-after', String(error.retryAfterSeconds))
  void reply.code(error.statusCode).send(toErrorAnswer(error, request.id))
}

/** The answer's body for an error. */
export function toErrorAnswer(error: AppError, requestId: string): ErrorAnswer {
  return {
    statusCode: error.statusCode,
    error: STATUS_CODES[error.statusCode] ?? 'Error',
    code: error.code,
    // A 503 says which of the expected things is the matter; any other 5xx is a fault of ours and says nothing.
    message: error.statusCode >= 500 && error.statusCode !== 503 ? HIDDEN_MESSAGE : error.message,
    ...(error.details === undefined ? {} : { details: error.details.map((fault) => ({ ...fault })) }),
    requestId,
  }
}

function translate(error: FastifyError | AppError): AppError {
  if (error instanceof AppError) return error
  if (isDatabaseAway(error)) return toAppError(error)
  const status = error.statusCode ?? 500
  const known = FASTIFY_CODES[error.code]
  if (known !== undefined) return new AppError(known, error.message, { cause: error })
  if (status === 503)
    return new AppError('RCV_STOPPING', 'this instance is stopping', { retryAfterSeconds: 1, cause: error })
  if (status >= 400 && status < 500) return new AppError('RCV_REQUEST_INVALID', error.message, { cause: error })
  return new AppError('RCV_INTERNAL', error.message, { cause: error })
}
