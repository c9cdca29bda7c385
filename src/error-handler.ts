// The only place where an error becomes an answer. 4xx say what is wrong and where; 5xx reveal nothing, the log has it all.
import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
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
    sendError(request, reply, toCatalogueError(error))
  })
  app.setNotFoundHandler((request, reply) => {
    const [path] = request.url.split('?', 1)
    // The likeliest mistake at Reten is a base URL that ends in /activities already: it must show in the log.
    const line = {
      event: 'request.refused',
      cause: 'RCV_ROUTE_NOT_FOUND',
      path: path?.slice(0, 200),
      address: request.ip,
    }
    request.log.warn(line, 'no such route')
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

/** Any error as one of the catalogue. */
export function toCatalogueError(error: FastifyError | AppError): AppError {
  if (error instanceof AppError) return error
  const status = error.statusCode ?? 500
  const known = FASTIFY_CODES[error.code]
  if (known !== undefined) return new AppError(known, error.message, { cause: error })
  // Before the database is asked after: a sender who leaves in the middle of a body raises ECONNRESET as well.
  if (status >= 400 && status < 500) return new AppError('RCV_REQUEST_INVALID', error.message, { cause: error })
  if (isDatabaseAway(error)) return toAppError(error)
  return new AppError('RCV_INTERNAL', error.message, { cause: error })
}

/** For Fastify's `frameworkErrors`: a path that cannot be decoded or has an overlong part, before there is a route. */
export function answerFrameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  sendError(request, reply, toCatalogueError(error))
}

/** For Fastify's `clientErrorHandler`: what came is no HTTP, or came too slowly; there is no request and no reply yet. */
export function answerBrokenRequest(this: FastifyInstance, error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return // nobody is there to be answered
  const [status, message] = BROKEN_REQUESTS[error.code ?? ''] ?? [400, 'this is not an HTTP request']
  const requestId = randomUUID()
  this.log.warn({ event: 'request.refused', cause: error.code, address: socket.remoteAddress, requestId }, message)
  const answer: ErrorAnswer = {
    statusCode: status,
    error: STATUS_CODES[status] ?? 'Error',
    code: 'RCV_REQUEST_INVALID',
    message,
    requestId,
  }
  const body = JSON.stringify(answer)
  const head = `HTTP/1.1 ${status} ${answer.error}\r\ncontent-type: application/json; charset=utf-8`
  socket.end(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`)
}

/** Node's codes for what it gives up before there is a request. */
const BROKEN_REQUESTS: Readonly<Record<string, readonly [status: number, message: string]>> = Object.freeze({
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not arrive in time'],
  HPE_HEADER_OVERFLOW: [431, 'the headers are too large'],
})
