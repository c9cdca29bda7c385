import fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyServerOptions,
} from 'fastify'
import { compileSchema } from './compile-schema.ts'

/** What both stand-ins' servers have in common. */
export interface SandboxServerOptions {
  readonly logger?: FastifyBaseLogger
  /** The body of an error answer; `messages` has one entry per fault found. */
  readonly errorBody: (statusCode: number, messages: readonly string[], error?: FastifyError) => unknown
  /** A path prefix that may be left out of requests. */
  readonly optionalPrefix?: string
}

/** Where to listen. */
export interface ListenOptions {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** 0 chooses a free one. */
  readonly port: number
}

/**
 * Makes a Fastify server that refuses what does not fit its schemas, without coercing or removing anything, takes an
 * empty JSON body as no body, and words every error by `errorBody`.
 */
export const createSandboxServer = (options: SandboxServerOptions): FastifyInstance => {
  const prefix = options.optionalPrefix
  const serverOptions: FastifyServerOptions = {
    ...(options.logger === undefined ? {} : { loggerInstance: options.logger }),
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
    ...(prefix === undefined ? {} : { rewriteUrl: (request) => withoutPrefix(request.url ?? '/', prefix) }),
  }
  const app = fastify(serverOptions)
  app.setValidatorCompiler(({ schema }) => compileSchema(schema))

  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else void parseJson(request, body, done)
  })

  app.setErrorHandler<FastifyError>((error, _request, reply) => {
    const statusCode = error.statusCode ?? 500
    if (statusCode >= 500) app.log.error({ err: error }, 'sandbox.request_failed')
    const messages = error.validation?.map((fault) => describeFault(fault)) ?? [error.message]
    return reply.code(statusCode).send(options.errorBody(statusCode, messages, error))
  })
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send(options.errorBody(404, [`Cannot ${request.method} ${request.url}`])),
  )
  return app
}

/** Starts to listen and answers the origin, without a trailing slash. */
export const listen = async (app: FastifyInstance, options: ListenOptions): Promise<string> => {
  const host = options.host ?? '127.0.0.1'
  await app.listen({ host, port: options.port })
  const address = app.server.address()
  const port = address !== null && typeof address === 'object' ? address.port : options.port
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

interface SchemaFault {
  readonly instancePath: string
  readonly keyword: string
  readonly params: Record<string, unknown>
  readonly message?: string
}

const describeFault = (fault: SchemaFault): string => {
  const path = fault.instancePath.slice(1).replaceAll('/', '.')
  if (fault.keyword === 'required') {
    return `${path === '' ? '' : `${path}.`}${String(fault.params['missingProperty'])} is required`
  }
  const allowed = fault.params['allowedValues']
  const detail = Array.isArray(allowed) ? `: ${allowed.join(', ')}` : ''
  return `${path === '' ? 'body' : path} ${fault.message ?? 'does not fit'}${detail}`
}

const withoutPrefix = (url: string, prefix: string): string =>
  url === prefix || url.startsWith(`${prefix}/`) ? url.slice(prefix.length) || '/' : url
