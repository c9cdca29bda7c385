// What one call to Reten came to, as a value: no answer of Reten's is an exception.
//
//  ok           2xx, and the body fits its schema
//  refused      a 4xx of Reten's own: 400, 401, 403, 404, 409, …; repeating it unchanged cannot help
//  unavailable  no answer, 408, 425, 429, 5xx, or a body that is not Reten's: another try may help; so may another address,
//               where a redirect, a 405 or a 404 says that there is no such route (`address_wrong`)
import type { Exchange } from '../dispatch/outcome.ts'
import { describeFault } from '../schemas.ts'
import type { Validated } from '../schemas.ts'
import { readJson, readRecord, readText } from '../http-answer.ts'
import type { HttpAnswer, HttpFault, HttpFaultCode } from '../http-client.ts'
import { readRetryAfterMs } from '../retry-after.ts'

export interface RetenOk<T> {
  readonly kind: 'ok'
  readonly status: number
  readonly value: T
  readonly exchange: Exchange
}

export interface RetenRefused {
  readonly kind: 'refused'
  readonly status: number
  /** Reten's words; where it sends a list, joined by "; ". */
  readonly message: string
  /** Reten's name of the error, e.g. `Conflict`; empty where it sends none. */
  readonly error: string
  readonly exchange: Exchange
}

/**
 * `answer_unreadable`: a status whose body is not what Reten sends, such as a gateway's page. `address_wrong`: whoever answers has
 * no such route: the base URL is wrong, or a deploy is under way; it concerns every call, not this one.
 */
export type RetenUnavailableCode = HttpFaultCode | `http_${number}` | 'answer_unreadable' | 'address_wrong'

export interface RetenUnavailable {
  readonly kind: 'unavailable'
  readonly code: RetenUnavailableCode
  /** One sentence for an operator. */
  readonly message: string
  /**
   * Whether Reten may have carried the call out all the same. False where it surely did not: the request never left, or
   * the answer was 408, 425 or 429.
   */
  readonly isSent: boolean
  readonly status?: number | undefined
  readonly retryAfterMs?: number | undefined
  readonly exchange: Exchange
}

export type RetenAnswer<T> = RetenOk<T> | RetenRefused | RetenUnavailable

export interface RetenAnswerInput<T> {
  readonly answer: HttpAnswer
  readonly validate: (value: unknown) => Validated<T>
  /** When the answer came, in milliseconds since 1970. */
  readonly nowMs: number
  readonly request: string
  /** Shortens for operators and cuts secrets. */
  readonly excerpt: (text: string) => string
}

/** Statuses that say themselves that nothing was done. */
const NOT_DONE: ReadonlySet<number> = new Set([408, 425, 429])
/** The page after the work, or a log-in instead of it. The other redirects say: not here. None is followed: our key is for nobody else. */
const MAYBE_DONE: ReadonlySet<number> = new Set([302, 303])
const LONGEST_MESSAGE = 500

/** Reads an answer by the table above. */
export function readRetenAnswer<T>(input: RetenAnswerInput<T>): RetenAnswer<T> {
  const { answer, validate, nowMs, request, excerpt } = input
  const { status } = answer
  const exchange = { status, request, response: excerpt(answer.body) }
  const reading = readJson(answer.body)
  const body = reading.isJson ? reading.value : undefined

  if (status >= 200 && status < 300) {
    const validated = validate(body)
    if (validated.ok) return { kind: 'ok', status, value: validated.value, exchange }
    const [fault] = validated.faults
    const where = reading.isJson && fault !== undefined ? describeFault('its body', fault) : 'its body is not JSON'
    return unreadable(status, `Reten answered ${status}, and ${where}`, exchange)
  }

  const words = readWords(body, excerpt)
  const sentence = `Reten answered ${status}${words === undefined || words.message === '' ? '' : `: ${words.message}`}`
  if (NOT_DONE.has(status) || status >= 500) {
    return {
      kind: 'unavailable',
      code: `http_${status}`,
      message: sentence,
      isSent: !NOT_DONE.has(status),
      status,
      retryAfterMs: readRetryAfterMs(answer.headers['retry-after'], nowMs),
      exchange,
    }
  }
  if (isAddressWrong(status, words?.message)) {
    const message = `${sentence}: is the base URL right?`
    return { kind: 'unavailable', code: 'address_wrong', message, isSent: MAYBE_DONE.has(status), status, exchange }
  }
  if (status >= 400 && words === undefined) return unreadable(status, `${sentence} without a body of its own`, exchange)
  return { kind: 'refused', status, message: words?.message ?? sentence, error: words?.error ?? '', exchange }
}

/**
 * The one place where words decide: NestJS says of a route that it does not have `Cannot POST /path` with a 404, and so does Express;
 * Reten's own 404 names what is missing. Source of the words: NestJS's router, `Cannot ${method} ${url}`.
 */
function isAddressWrong(status: number, message: string | undefined): boolean {
  if (status < 400) return true
  return status === 405 || (status === 404 && /^Cannot (GET|POST) \//.test(message ?? ''))
}

/** A call without an answer. */
export function readRetenFault(fault: HttpFault, request: string): RetenUnavailable {
  return { kind: 'unavailable', code: fault.code, message: fault.message, isSent: fault.isSent, exchange: { request } }
}

/** Whether Reten is at fault: it gave no answer, or none that settles anything. "Slower" and a refusal are answers. */
export function isRetenFault(answer: RetenAnswer<unknown>): boolean {
  return answer.kind === 'unavailable' && answer.code !== 'http_429' && answer.code !== 'aborted'
}

function unreadable(status: number, message: string, exchange: Exchange): RetenUnavailable {
  // A gateway's 4xx was most likely never Reten's to see; a 2xx or an unknown status may have been.
  return { kind: 'unavailable', code: 'answer_unreadable', message, isSent: true, status, exchange }
}

/** Source: NestJS's error body: `message` is a string, or an array of them where validation refused. */
function readWords(body: unknown, excerpt: (text: string) => string) {
  const record = readRecord(body)
  if (record === undefined) return undefined
  const { message, error, statusCode } = record
  const texts = (Array.isArray(message) ? message : [message]).map(readText).filter((text) => text !== undefined)
  const name = readText(error) ?? ''
  if (texts.length === 0 && name === '' && typeof statusCode !== 'number') return undefined
  const joined = texts.length === 0 ? name : texts.join('; ')
  return { message: excerpt(joined).slice(0, LONGEST_MESSAGE).toWellFormed(), error: excerpt(name) }
}
