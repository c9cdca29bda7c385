// The app the world sees: Reten's dispatches, the providers' webhooks, health. Nothing of the operators' side is here.
import { hash } from 'node:crypto'
import fastify, { LogController } from 'fastify'
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import rateLimit from '@fastify/rate-limit'
import type { Config } from './config.ts'
import { answerBrokenRequest, answerFrameworkError, registerErrorHandler, toCatalogueError } from './error-handler.ts'
import { AppError } from './errors.ts'
import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'
import { readSchema } from './schemas.ts'
import { MINUTE_MS } from './time.ts'

// Above Reten's own time-out, whatever it is, and short enough that a slow sender does not hold a socket for long.
const REQUEST_TIMEOUT_MS = 30_000
const CONNECTION_TIMEOUT_MS = 60_000
// Longer than a load balancer's idle time (60 s is common), so that it never reuses a connection we are closing.
const KEEP_ALIVE_TIMEOUT_MS = 75_000
// Far above a person's mistakes, far below what guessing a key would need.
const MAX_FAILED_KEYS_PER_MINUTE = 60

export interface PublicAppDeps {
  readonly config: Pick<Config, 'trustProxy' | 'maxBodyBytes' | 'rateLimitPerMinute'>
  readonly logger: Logger
  readonly metrics: Metrics
}

/** What routes of the public app need from it. */
export interface PublicApp {
  readonly app: FastifyInstance
  /** Counts a failed authentication of the request's address and answers what to throw. */
  readonly refuseFailedKey: (request: FastifyRequest) => Promise<AppError>
}

/** Builds the app without routes: bodies as raw bytes, one error handler, security headers, limits. */
export async function createPublicApp(deps: PublicAppDeps): Promise<PublicApp> {
  const { trustProxy } = deps.config
  const loggerInstance: FastifyBaseLogger = deps.logger
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }), // one wide line per step is ours to write
    // A number trusts that many proxies, counted from us; Fastify's types know it only as a function.
    trustProxy: typeof trustProxy === 'number' ? (_address, hop) => hop < trustProxy : trustProxy,
    bodyLimit: deps.config.maxBodyBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // A request on a connection that is still open is served while we stop: refusing it would burn one of Reten's three tries.
    return503OnClosing: false,
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: answerBrokenRequest,
    requestIdHeader: false, // ids of our own: a sender's would let it write into our log
    genReqId: () => crypto.randomUUID(),
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
  })
  registerErrorHandler(app)
  addAnswerHeaders(app)
  await app.register(rateLimit, { global: false })
  app.addSchema(readSchema('error'))
  app.decorateRequest('keyMatch', undefined)
  keepBytes(app)
  app.addHook('onError', async (request, _reply, error) => {
    recordRefusal(deps, request, toCatalogueError(error))
  })
  // By address; the addresses of one IPv6 network count as one, since a single host can take any of them.
  const failures = app.createRateLimit({ max: MAX_FAILED_KEYS_PER_MINUTE, timeWindow: MINUTE_MS })
  const refuseFailedKey = async (request: FastifyRequest): Promise<AppError> => {
    const counted = await failures(request)
    if (counted.isAllowed || !counted.isExceeded)
      return new AppError('RCV_UNAUTHORIZED', 'the key is missing or not valid')
    return new AppError('RCV_RATE_LIMITED', 'too many failed authentications', {
      retryAfterSeconds: counted.ttlInSeconds,
    })
  }
  return { app, refuseFailedKey }
}

/**
 * What the OWASP REST cheat sheet asks of answers that are JSON and nothing else, as constants: @fastify/helmet, which guards
 * the operators' pages, builds its twelve headers anew for every request, and that took a third of this listener's rate.
 */
const ANSWER_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
})

function addAnswerHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, done) => {
    void reply.headers(ANSWER_HEADERS)
    done()
  })
}

/**
 * Every body arrives as the bytes it came in; each route says itself what it takes. The content type is hidden from Fastify
 * while it reads a body: one that it cannot read would be refused before the body is there, and nothing of it could be kept.
 */
function keepBytes(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.decorateRequest('hiddenContentType', undefined)
  app.addHook('preParsing', (request, _reply, payload, done) => {
    request.hiddenContentType = request.headers['content-type']
    delete request.headers['content-type']
    done(null, payload)
  })
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.hiddenContentType !== undefined) request.headers['content-type'] = request.hiddenContentType
    done()
  })
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The content type while a body is read; it stands among the headers before and after. */
    hiddenContentType: string | undefined
  }
}

function recordRefusal(deps: PublicAppDeps, request: FastifyRequest, error: AppError): void {
  const cause = error.code
  const route = request.routeOptions.url ?? 'none'
  deps.metrics.requests.inc({ route, outcome: 'refused', cause })
  const key = request.headers['x-api-key']
  request.log.warn(
    {
      event: 'request.refused',
      route,
      cause,
      address: request.ip,
      connection: request.keyMatch?.connection.name,
      // Enough to tell one wrong key from another, nothing to guess a key from.
      keyHash: typeof key === 'string' ? hash('sha256', key, 'hex').slice(0, 8) : undefined,
    },
    error.message,
  )
}
