// What an HTTP status, or the lack of one, says about a delivery. Shared by the adapters that speak HTTP.
//
//  2xx                                the adapter's own business
//  301, 307, 308                      retry         nothing was done: the address is not right (yet). Never followed: our
//                                                   credentials are for nobody else
//  302, 303                           ambiguous     the page after the work, or a log-in instead of it; not followed either
//  other 3xx                          rejected
//  401, 403                           unauthorized  the credentials, not the dispatch: one pause instead of many failures
//  403 with a code that means quota   throttled
//  404, 405 without JSON              retry         a page of a gateway, not the API: a wrong address or a deploy
//  408, 425                           retry         says itself that nothing was done
//  409                                retry         where the adapter does not take it for "you have done this before"
//  429                                throttled
//  other 4xx                          rejected
//  501, 503, 505, 521-523, 525, 526   retry         the request was refused, or a gateway did not reach the service
//  other 5xx                          ambiguous     500, 502, 504 and unknown ones can come after the work is done
//  no answer, not sent                retry
//  no answer, perhaps sent            ambiguous
import type { ProbeAnswer } from '../../dispatch/key-probe.ts'
import type { Exchange, Outcome } from '../../dispatch/outcome.ts'
import { readJson, readRecord, readText } from '../../http-answer.ts'
import type { HttpAnswer, HttpFault } from '../../http-client.ts'
import { readRetryAfterMs } from '../../retry-after.ts'

/** What the outcome of one call is worded with. */
export interface OutcomeContext {
  /** Who answered, as operators know them: `YOM`. */
  readonly who: string
  readonly exchange: Exchange
  /** Cuts secrets out of the provider's words. */
  readonly excerpt: (text: string) => string
  /** When the answer came, in milliseconds since 1970. */
  readonly nowMs: number
}

export type NotAccepted = Exclude<Outcome, { readonly kind: 'accepted' }>

/** The request surely was not carried out; 521 to 526 are Cloudflare's words for an origin it did not reach. */
const NOT_DONE_5XX: ReadonlySet<number> = new Set([501, 503, 505, 521, 522, 523, 525, 526])
const NOT_DONE_4XX: ReadonlySet<number> = new Set([408, 409, 425])
const REDIRECTS: ReadonlyMap<number, 'retry' | 'ambiguous'> = new Map([
  [301, 'retry'],
  [302, 'ambiguous'],
  [303, 'ambiguous'],
  [307, 'retry'],
  [308, 'retry'],
])
/** Quotas that are told as 403. Source: Salesforce REST API, error code REQUEST_LIMIT_EXCEEDED; the rest by analogy. */
const QUOTA_CODES: ReadonlySet<string> = new Set([
  'REQUEST_LIMIT_EXCEEDED',
  'RATE_LIMIT',
  'RATE_LIMIT_EXCEEDED',
  'QUOTA_EXCEEDED',
  'TOO_MANY_REQUESTS',
])
const CODE_FIELDS = ['errorCode', 'code', 'name', 'errorType', 'error'] as const
const MESSAGE_FIELDS = ['message', 'error', 'detail', 'title', 'errors'] as const
/** Enough for a sentence and its details; the whole body stands in the exchange. */
const LONGEST_WORDS = 500

/** Whether the status is one of success. */
export function isSuccess({ status }: HttpAnswer): boolean {
  return status >= 200 && status < 300
}

/**
 * Whether a 409 says that this very delivery was taken before. With a Retry-After it says that a first request is still
 * under way, as the draft on Idempotency-Key has it.
 */
export function isTakenBefore({ status, headers }: HttpAnswer): boolean {
  return status === 409 && headers['retry-after'] === undefined
}

/** The outcome of an answer that is not a 2xx, by the table above. */
export function readStatusOutcome(answer: HttpAnswer, context: OutcomeContext): NotAccepted {
  const { status } = answer
  const said = { code: `http_${status}`, message: describeAnswer(answer, context), exchange: context.exchange }
  const retryAfterMs = readRetryAfterMs(answer.headers['retry-after'], context.nowMs)

  if (status >= 300 && status < 400)
    return { ...said, kind: REDIRECTS.get(status) ?? 'rejected', code: 'http_redirect' }
  if (status === 429) return { ...said, kind: 'throttled', retryAfterMs }
  if (status === 403 && isQuota(answer.body))
    return { ...said, kind: 'throttled', code: 'http_403_quota', retryAfterMs }
  if (status === 401 || status === 403) return { ...said, kind: 'unauthorized' }
  if ((status === 404 || status === 405) && !readJson(answer.body).isJson)
    return { ...said, kind: 'retry', retryAfterMs }
  if (NOT_DONE_4XX.has(status) || NOT_DONE_5XX.has(status)) return { ...said, kind: 'retry', retryAfterMs }
  if (status >= 500) return { ...said, kind: 'ambiguous' }
  return { ...said, kind: 'rejected' }
}

/** The outcome of a call without an answer: it is known not to have left, or its fate is not known. */
export function readFaultOutcome(fault: HttpFault, context: OutcomeContext): NotAccepted {
  const said = { code: fault.code, message: `${context.who}: ${fault.message}`, exchange: context.exchange }
  return fault.isSent ? { ...said, kind: 'ambiguous' } : { ...said, kind: 'retry' }
}

/**
 * What the answer to a probe says of our credentials. A 403 let them in and named what they may not do here, which need not be
 * what a delivery does; a limit, a time-out and a fault of theirs say nothing.
 */
export function readProbeAnswer(answer: HttpAnswer, context: OutcomeContext): ProbeAnswer {
  const { status } = answer
  const message = describeAnswer(answer, context)
  if (status === 401) return { kind: 'refused', message }
  return status === 408 || status === 425 || status === 429 || status >= 500
    ? { kind: 'unknown', message }
    : { kind: 'good' }
}

/** `YOM answered 422: E422: commerce is not known`; without words of theirs, the status alone. */
export function describeAnswer(answer: HttpAnswer, { who, excerpt }: OutcomeContext): string {
  const words = excerpt(readWords(answer.body)).slice(0, LONGEST_WORDS).toWellFormed()
  return words === '' ? `${who} answered ${answer.status}` : `${who} answered ${answer.status}: ${words}`
}

/** The machine-readable words of an error body, in their own spelling. */
export function readErrorCodes(body: string): readonly string[] {
  return readErrors(body)
    .flatMap((error) => CODE_FIELDS.map((name) => readText(error[name]) ?? []))
    .flat()
}

function isQuota(body: string): boolean {
  return readErrorCodes(body).some((code) => QUOTA_CODES.has(code.toUpperCase()))
}

function readWords(body: string): string {
  const [error] = readErrors(body)
  if (error === undefined) return ''
  const nested = readRecord(error['error']) ?? error
  const code = readText(error['errorCode']) ?? readText(nested['code']) ?? readText(error['name'])
  const message = MESSAGE_FIELDS.map((name) => readMessage(nested[name])).find((text) => text !== undefined)
  const words = [code, message].filter((text) => text !== undefined && text !== '')
  return [...new Set(words)].join(': ')
}

function readMessage(value: unknown): string | undefined {
  if (!Array.isArray(value)) return readText(value)
  const texts = value
    .map((entry) => readText(readRecord(entry)?.['message'] ?? entry))
    .filter((text) => text !== undefined)
  return texts.length === 0 ? undefined : texts.join('; ')
}

function readErrors(body: string): readonly Readonly<Record<string, unknown>>[] {
  const reading = readJson(body)
  if (!reading.isJson) return []
  const values: readonly unknown[] = Array.isArray(reading.value) ? reading.value : [reading.value]
  return values.map(readRecord).filter((record) => record !== undefined)
}
