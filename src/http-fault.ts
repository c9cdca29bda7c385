// What undici's and Node's errors mean for a request. By code and class, never by message text.
import { errors } from 'undici'
import type { HttpFaultCode } from './http-client.ts'

/** What an error means. `isUnsent`: the library refused the request although it had begun, so nothing left. */
export interface HttpFaultReading {
  readonly code: HttpFaultCode
  /** One sentence with the origin and the library's code, never with the path, which may hold a secret. */
  readonly message: string
  readonly isUnsent: boolean
}

type Meaning = readonly [code: HttpFaultCode, words: string]

const MALFORMED: Meaning = ['response_malformed', 'answered with something that is not HTTP']

/** Codes that mean one thing, whenever they come. */
const MEANINGS: Readonly<Record<string, Meaning>> = Object.freeze({
  ECONNREFUSED: ['connection_refused', 'refuses the connection'],
  EHOSTUNREACH: ['connection_refused', 'cannot be reached'],
  EHOSTDOWN: ['connection_refused', 'cannot be reached'],
  ENETUNREACH: ['connection_refused', 'cannot be reached'],
  ENETDOWN: ['connection_refused', 'cannot be reached'],
  EADDRNOTAVAIL: ['connection_refused', 'cannot be reached'],
  EACCES: ['connection_refused', 'may not be reached from here'],
  EPERM: ['connection_refused', 'may not be reached from here'],
  EMFILE: ['connection_refused', 'cannot be reached: this process is out of file descriptors'],
  ENOTFOUND: ['name_not_found', 'has a name that does not resolve'],
  EAI_AGAIN: ['name_not_found', 'has a name that could not be resolved just now'],
  EAI_FAIL: ['name_not_found', 'has a name that does not resolve'],
  EAI_NODATA: ['name_not_found', 'has a name that does not resolve'],
  EAI_NONAME: ['name_not_found', 'has a name that does not resolve'],
  UND_ERR_CONNECT_TIMEOUT: ['connect_timeout', 'did not take the connection in time'],
  UND_ERR_HEADERS_TIMEOUT: ['timeout', 'did not answer in time'],
  UND_ERR_BODY_TIMEOUT: ['timeout', 'did not answer in time'],
  UND_ERR_HEADERS_OVERFLOW: ['response_too_large', 'answered with too many header bytes'],
  UND_ERR_RES_EXCEEDED_MAX_SIZE: ['response_too_large', 'answered with too many bytes'],
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: ['connection_lost', 'broke off in the middle of its answer'],
  UND_ERR_INVALID_ARG: ['request_invalid', 'was never called: the URL or a header cannot be sent'],
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: ['request_invalid', 'was never called: content-length and body disagree'],
  UND_ERR_NOT_SUPPORTED: ['request_invalid', 'was never called: a header is not supported'],
  UND_ERR_DESTROYED: ['aborted', 'was given up: the HTTP client is closed'],
  UND_ERR_CLOSED: ['aborted', 'was given up: the HTTP client is closed'],
})

/** Reads `error`, which ended a request to `origin`; `hasBegun` says whether undici had begun to write it. */
export function describeHttpFault(error: Error, hasBegun: boolean, origin: string): HttpFaultReading {
  const libraryCode = readCode(error)
  // Its codes are missing where the parser has no name for what it met; its class never is.
  const [code, words] =
    error instanceof errors.HTTPParserError
      ? MALFORMED
      : (MEANINGS[libraryCode] ?? readByPhase(libraryCode, hasBegun, origin))
  const suffix = libraryCode === '' ? '' : ` (${libraryCode})`
  return { code, message: `${origin} ${words}${suffix}`, isUnsent: code === 'request_invalid' }
}

function readByPhase(libraryCode: string, hasBegun: boolean, origin: string): Meaning {
  if (hasBegun) {
    if (libraryCode === 'ETIMEDOUT') return ['timeout', 'went silent']
    return ['connection_lost', 'closed the connection before its answer was whole']
  }
  if (libraryCode === 'ETIMEDOUT') return ['connect_timeout', 'did not take the connection in time']
  // Before the request is written an https connection can end only in its handshake; certificate codes are too many to
  // list, and a connection that is reset there has no code of its own.
  if (origin.startsWith('https:')) return ['tls_failed', 'and this service could not agree on TLS']
  return ['connection_lost', 'closed the connection before the request was sent']
}

function readCode(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code
  // Several addresses were tried; each has its own error, and Node puts no code on the whole in every case.
  if (error instanceof AggregateError) {
    const first: unknown = error.errors[0]
    return first instanceof Error ? readCode(first) : ''
  }
  return ''
}
