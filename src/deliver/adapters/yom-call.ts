// One authorized call to YOM, within one deadline: gets a token where one is needed, and gets another once when YOM says
// that it is no longer good. A 401 did nothing, so that second call is no repeat of anything.
import { createExcerpt } from '../../http-answer.ts'
import { HttpFault } from '../../http-client.ts'
import type { HttpAnswer } from '../../http-client.ts'
import type { AdapterInput } from './adapter.ts'
import { readFaultOutcome } from './http-outcome.ts'
import type { NotAccepted, OutcomeContext } from './http-outcome.ts'
import { YOM_API_KEY_HEADER, yomBearerHeaders } from './yom-assumptions.ts'
import type { YomSettings } from './yom-settings.ts'
import { createYomTokens } from './yom-token.ts'
import type { YomTokens } from './yom-token.ts'

export interface YomRequest {
  readonly method: 'GET' | 'POST'
  /** Below the base URL, with its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly maxResponseBytes: number
}

/** YOM answered, whatever; `context` is what an outcome of it is worded with. */
export interface YomAnswered {
  readonly kind: 'answer'
  readonly answer: HttpAnswer
  readonly context: OutcomeContext
}

/** No answer, or no token: that is the outcome. */
export interface YomUnanswered {
  readonly kind: 'none'
  readonly outcome: NotAccepted
}

export interface YomCall {
  send(request: YomRequest, signal: AbortSignal): Promise<YomAnswered | YomUnanswered>
  /** The request for an operator's eyes: capped, without credentials. */
  show(request: YomRequest): string
  close(): void
}

const WHO = 'YOM'

/** Makes the caller, with a token cache where the settings name a client. */
export function createYomCall(settings: YomSettings, input: AdapterInput): YomCall {
  const { baseUrl, credentials, timeoutMs } = settings
  const { http, clock } = input
  const secrets = Object.values(input.secrets)
  const excerpt = createExcerpt(secrets)
  const basePath = new URL(baseUrl).pathname.replace(/\/$/, '')
  const apiKey = credentials.kind === 'api_key' ? credentials.apiKey : ''
  const keyAuthorization = { headers: { [YOM_API_KEY_HEADER]: apiKey }, secret: apiKey }
  const tokens =
    credentials.kind === 'client'
      ? createYomTokens({ ...credentials, baseUrl, http, clock, timeoutMs, excerpt })
      : undefined

  const show = ({ method, path, body }: YomRequest): string =>
    excerpt(`${method} ${basePath}${path}${body === undefined ? '' : `\n${body}`}`)

  const call = async (request: YomRequest, authorization: Authorization, leftMs: number, signal: AbortSignal) => {
    // A token is a secret that the settings do not hold.
    const context = { who: WHO, excerpt: createExcerpt([...secrets, authorization.secret]) }
    const shown = show(request)
    try {
      const answer = await http.request({
        method: request.method,
        url: baseUrl + request.path,
        headers: { accept: 'application/json', ...request.headers, ...authorization.headers },
        body: request.body,
        timeoutMs: leftMs,
        maxResponseBytes: request.maxResponseBytes,
        signal,
      })
      const exchange = { status: answer.status, request: shown, response: context.excerpt(answer.body) }
      return { kind: 'answer', answer, context: { ...context, exchange, nowMs: clock.now() } } satisfies YomAnswered
    } catch (error) {
      if (!(error instanceof HttpFault)) throw error
      return none(readFaultOutcome(error, { ...context, exchange: { request: shown }, nowMs: clock.now() }))
    }
  }

  const callWithToken = async (from: YomTokens, request: YomRequest, endsAtMs: number, signal: AbortSignal) => {
    const reading = await from.get(signal)
    if (reading.kind === 'none') return reading
    // Never more than the whole: the clock may have been set back meanwhile.
    const leftMs = Math.min(endsAtMs - clock.now(), timeoutMs)
    if (leftMs <= 0) return tooLate(show(request))
    const authorization = { headers: yomBearerHeaders(reading.token), secret: reading.token }
    const sent = await call(request, authorization, leftMs, signal)
    if (isTokenRefused(sent)) from.invalidate(reading.token)
    return sent
  }

  return {
    show,
    async send(request, signal) {
      if (tokens === undefined) return call(request, keyAuthorization, timeoutMs, signal)
      const endsAtMs = clock.now() + timeoutMs
      const sent = await callWithToken(tokens, request, endsAtMs, signal)
      return isTokenRefused(sent) ? callWithToken(tokens, request, endsAtMs, signal) : sent
    },
    close: () => tokens?.close(),
  }
}

interface Authorization {
  readonly headers: Readonly<Record<string, string>>
  readonly secret: string
}

function isTokenRefused(sent: YomAnswered | YomUnanswered): boolean {
  return sent.kind === 'answer' && sent.answer.status === 401
}

function none(outcome: NotAccepted): YomUnanswered {
  return { kind: 'none', outcome }
}

function tooLate(request: string): YomUnanswered {
  const message = `${WHO}: the token took the whole time allowed for the delivery; nothing was sent`
  return none({ kind: 'retry', code: 'token_timeout', message, exchange: { request } })
}
