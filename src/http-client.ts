// The one way this service calls others: a total deadline, a cap on the answer, no redirects, kept-alive connections.
import { Agent } from 'undici'

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
  readonly body: string
}

/** Why no usable answer came. `aborted`: our own signal, not the peer's fault. */
export type HttpFaultCode =
  | 'connection_refused'
  | 'name_not_found'
  | 'connect_timeout'
  | 'tls_failed'
  | 'timeout'
  | 'connection_lost'
  | 'response_too_large'
  | 'response_malformed'
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
  close(): Promise<void>
}

void Agent
