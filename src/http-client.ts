// The one way this service calls others: a total deadline, a cap on the answer, no redirects, kept-alive connections.
// Whether a request may have reached its peer is never guessed from an error: undici says when it begins to write one.
import { Agent } from 'undici'
import { describeHttpFault } from './http-fault.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
  /** From the call to the last byte of the answer. */
  readonly timeoutMs: number
  /** An answer longer than this is a fault (`response_too_large`). */
  readonly maxResponseBytes: number
  readonly signal?: AbortSignal | undefined
}

export interface HttpAnswer {
  readonly status: number
  /** Names in lower case; a repeated header joined by ", ". */
  readonly headers: Readonly<Record<string, string>>
  /** Decoded as UTF-8; bytes that are none become U+FFFD. */
  readonly body: string
}

/**
 * Why no usable answer came. `aborted`: our own signal or our own shutdown, not the peer's fault. `request_invalid`: a URL
 * or a header that cannot be sent at all, so a setting is at fault.
 */
export type HttpFaultCode =
  | 'connection_refused'
  | 'name_not_found'
  | 'connect_timeout'
  | 'tls_failed'
  | 'timeout'
  | 'connection_lost'
  | 'response_too_large'
  | 'response_malformed'
  | 'request_invalid'
  | 'aborted'

/** No usable answer. `isSent` says whether the request may have reached the peer: then its fate is unknown. */
export class HttpFault extends Error {
  readonly code: HttpFaultCode
  readonly isSent: boolean

  constructor(code: HttpFaultCode, message: string, isSent: boolean, cause?: unknown) {
    super(message, { cause })
    this.name = 'HttpFault'
    this.code = code
    this.isSent = isSent
  }
}

export interface HttpClient {
  /** Resolves for every HTTP status; rejects with HttpFault and nothing else. */
  request(request: HttpRequest): Promise<HttpAnswer>
  /** Waits for what is under way (each request ends by its own deadline), then closes every connection. */
  close(): Promise<void>
}

export interface HttpClientOptions {
  /** Until the connection stands, TLS included; default 5,000. */
  readonly connectTimeoutMs?: number | undefined
  /** How long an idle connection is kept where the peer names no time; default 4,000. */
  readonly keepAliveMs?: number | undefined
  /** Connections per origin; further requests wait, within their deadline. Default 128. */
  readonly maxConnections?: number | undefined
}

/** Below the 5 s after which a plain Node server closes, the shortest habit known: a reused connection is then alive. */
const KEEP_ALIVE_MS = 4_000
/** Balancers drop idle connections without a word after about a minute; a peer's longer promise is not believed. */
const KEEP_ALIVE_MAX_MS = 30_000
const CONNECT_TIMEOUT_MS = 5_000
/** Far above what all connections of one process have in flight; a bound for the day something multiplies requests. */
const MAX_CONNECTIONS = 128

/** A client with connections of its own. Opens nothing before the first request. */
export function createHttpClient(options: HttpClientOptions = {}): HttpClient {
  const connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS
  const agent = new Agent({
    connectTimeout: connectTimeoutMs,
    keepAliveTimeout: options.keepAliveMs ?? KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
    connections: options.maxConnections ?? MAX_CONNECTIONS,
    // One request per connection at a time: with pipelining, or with HTTP/2 and its GOAWAY, the library itself sends a
    // request again when it holds that it was not processed, and the fate of a request would not be ours to tell.
    pipelining: 1,
    allowH2: false,
    // The deadline of the request covers both; the library's own timers would only be a second, coarser one.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  const underWay = new Set<Promise<HttpAnswer>>()
  let isClosed = false

  return {
    async request(request) {
      if (isClosed) throw new HttpFault('aborted', 'the HTTP client is closed', false)
      const answer = exchange(agent, request)
      underWay.add(answer)
      try {
        return await answer
      } finally {
        underWay.delete(answer)
      }
    },
    async close() {
      isClosed = true
      await Promise.allSettled(underWay)
      // Not close(): a connection that is still being made for a request given up long ago would be waited for.
      await agent.destroy()
    },
  }
}

function exchange(agent: Agent, request: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const { signal, timeoutMs, maxResponseBytes } = request
    const chunks: Buffer[] = []
    let isSent = false
    let isSettled = false
    let size = 0
    let status = 0
    let headers: Record<string, string> = {}
    let abort: (() => void) | undefined

    const settle = (): boolean => {
      if (isSettled) return false
      isSettled = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      return true
    }
    const fail = (fault: HttpFault): void => {
      if (!settle()) return
      reject(fault)
      abort?.()
    }
    const stop = (): void => fail(new HttpFault('aborted', 'the request was given up', isSent, signal?.reason))
    const expire = (): void => fail(new HttpFault('timeout', `no whole answer within ${timeoutMs} ms`, isSent))
    const overflow = (): void =>
      fail(new HttpFault('response_too_large', `the answer is longer than ${maxResponseBytes} bytes`, true))

    const timer = setTimeout(expire, timeoutMs)
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted === true) return stop()

    const target = readTarget(request.url)
    if (target === undefined) return fail(new HttpFault('request_invalid', 'the URL is not an http(s) URL', false))

    const onResponseError = (error: Error): void => {
      const { code, message, isUnsent } = describeHttpFault(error, isSent, target.origin)
      fail(new HttpFault(code, message, isSent && !isUnsent, error))
    }
    try {
      agent.dispatch(
        {
          origin: target.origin,
          path: target.path,
          method: request.method,
          // Not compressed: the cap then holds for what is read as well as for what is sent.
          headers: { 'accept-encoding': 'identity', 'user-agent': 'reten-dispatch-receiver', ...request.headers },
          body: request.body ?? null,
        },
        {
          // Called right before the first byte is written. A request given up while its connection was being made is
          // stopped here and never leaves.
          onRequestStart(controller) {
            abort = () => controller.abort(new Error('given up'))
            if (isSettled) abort()
            else isSent = true
          },
          onResponseStart(_controller, statusCode, responseHeaders) {
            if (statusCode < 200) return
            status = statusCode
            headers = flatten(responseHeaders)
            if (Number(headers['content-length'] ?? 0) > maxResponseBytes) overflow()
          },
          onResponseData(_controller, chunk) {
            size += chunk.length
            if (size > maxResponseBytes) overflow()
            else chunks.push(chunk)
          },
          onResponseEnd() {
            if (settle()) resolve({ status, headers, body: new TextDecoder().decode(Buffer.concat(chunks)) })
          },
          onResponseError: (_controller, error) => onResponseError(error),
        },
      )
    } catch (error) {
      onResponseError(error instanceof Error ? error : new Error(String(error)))
    }
  })
}

function readTarget(url: string): { readonly origin: string; readonly path: string } | undefined {
  const parsed = URL.parse(url)
  if (parsed === null || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) return undefined
  return { origin: parsed.origin, path: parsed.pathname + parsed.search }
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const flat: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value
  }
  return flat
}
