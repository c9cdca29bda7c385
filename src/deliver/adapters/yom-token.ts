// Tokens by YOM's client credentials grant: cached for their life, asked for once however many deliveries wait.
// A grant never sends a task, so whatever happens to it, no delivery's fate is unknown because of it.
import { readJson, readRecord } from '../../http-answer.ts'
import { HttpFault } from '../../http-client.ts'
import type { HttpAnswer, HttpClient } from '../../http-client.ts'
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../../time.ts'
import type { Clock } from '../../time.ts'
import { untilAborted } from '../../until-aborted.ts'
import { isSuccess, readFaultOutcome, readStatusOutcome } from './http-outcome.ts'
import type { NotAccepted } from './http-outcome.ts'
import { YOM_GRANT_PATH, YOM_TOKEN_LIFE_WITHOUT_EXP_MS } from './yom-assumptions.ts'

export type TokenReading =
  | { readonly kind: 'token'; readonly token: string }
  /** No token: the outcome of the delivery that needed one; never `ambiguous`. */
  | { readonly kind: 'none'; readonly outcome: NotAccepted }

export interface YomTokens {
  /** A token that should still be good. Gives up, as a `retry`, when `signal` aborts; others keep waiting. */
  get(signal: AbortSignal): Promise<TokenReading>
  /** Forgets `token` if it is the cached one, so that the next `get` asks for another. */
  invalidate(token: string): void
  /** Ends a grant that is under way. */
  close(): void
}

export interface YomTokensInput {
  readonly baseUrl: string
  readonly clientId: string
  readonly clientSecret: string
  readonly http: HttpClient
  readonly clock: Clock
  readonly timeoutMs: number
  readonly excerpt: (text: string) => string
}

/** A token is put aside this long before it expires: longer than any request under way, and than common clock skew. */
const MARGIN_MS = MINUTE_MS
/** The longest life believed, whatever a token says of itself. */
const LONGEST_LIFE_MS = DAY_MS
const MAX_RESPONSE_BYTES = 65_536
const HEADER_SAFE = /^[\x21-\x7e]+$/

const GIVEN_UP: TokenReading = {
  kind: 'none',
  outcome: { kind: 'retry', code: 'token_aborted', message: 'given up while waiting for a token of YOM' },
}

interface CachedToken {
  readonly token: string
  readonly goodUntilMs: number
}

/** Makes a cache of its own; asks for nothing before the first `get`. */
export function createYomTokens(input: YomTokensInput): YomTokens {
  const closing = new AbortController()
  let cached: CachedToken | undefined
  let underWay: Promise<TokenReading> | undefined

  const ask = async (): Promise<TokenReading> => {
    const reading = await grant(input, closing.signal)
    if (reading.kind === 'token') {
      cached = { token: reading.token, goodUntilMs: input.clock.now() + usableLifeMs(reading.token, input.clock) }
    }
    return reading
  }

  return {
    get(signal) {
      if (cached !== undefined && input.clock.now() < cached.goodUntilMs) {
        return Promise.resolve({ kind: 'token', token: cached.token })
      }
      underWay ??= ask().finally(() => (underWay = undefined))
      return untilAborted(underWay, signal, GIVEN_UP)
    },
    invalidate(token) {
      if (cached?.token === token) cached = undefined
    },
    close: () => closing.abort(),
  }
}

async function grant(input: YomTokensInput, signal: AbortSignal): Promise<TokenReading> {
  const { baseUrl, clientId, clientSecret, http, clock, timeoutMs, excerpt } = input
  const request = `POST ${new URL(baseUrl + YOM_GRANT_PATH).pathname}`
  const who = "YOM's token endpoint"
  let answer: HttpAnswer
  try {
    answer = await http.request({
      method: 'POST',
      url: baseUrl + YOM_GRANT_PATH,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ client_id: clientId, client_secret: clientSecret, grant_type: 'client_credentials' }),
      timeoutMs,
      maxResponseBytes: MAX_RESPONSE_BYTES,
      signal,
    })
  } catch (error) {
    if (!(error instanceof HttpFault)) throw error
    const { code, message, exchange } = readFaultOutcome(error, {
      who,
      exchange: { request },
      nowMs: clock.now(),
      excerpt,
    })
    return none({ kind: 'retry', code: `token_${code}`, message, exchange })
  }

  if (isSuccess(answer)) {
    const token = readAccessToken(answer.body)
    if (token !== undefined) return { kind: 'token', token }
    // Its body is not shown: what could not be read as a token may still hold one.
    const exchange = { status: answer.status, request }
    return none({
      kind: 'retry',
      code: 'token_unreadable',
      message: `${who} answered without an accessToken`,
      exchange,
    })
  }
  const exchange = { status: answer.status, request, response: excerpt(answer.body) }
  const outcome = readStatusOutcome(answer, { who, exchange, nowMs: clock.now(), excerpt })
  const said = { code: `token_${outcome.code}`, message: outcome.message, exchange }
  switch (outcome.kind) {
    case 'retry':
    case 'throttled':
      return none({ ...outcome, ...said })
    case 'ambiguous':
      return none({ ...said, kind: 'retry' })
    case 'rejected':
    case 'unauthorized':
      // Without a token nothing of this connection can be delivered, whatever the refusal is called.
      return none({ ...said, kind: 'unauthorized' })
  }
}

function none(outcome: NotAccepted): TokenReading {
  return { kind: 'none', outcome }
}

function readAccessToken(body: string): string | undefined {
  const reading = readJson(body)
  const token = reading.isJson ? readRecord(reading.value)?.['accessToken'] : undefined
  return typeof token === 'string' && HEADER_SAFE.test(token) ? token : undefined
}

/** How long from now the token may be used, by what it says of itself; at most a day. */
function usableLifeMs(token: string, clock: Clock): number {
  const { exp, iat } = readClaims(token)
  if (exp === undefined) return YOM_TOKEN_LIFE_WITHOUT_EXP_MS
  // Counted from when it was made, where it says so, because their clock and ours may differ.
  const lifeMs = exp * SECOND_MS - (iat === undefined ? clock.now() : iat * SECOND_MS)
  const marginMs = Math.min(MARGIN_MS, lifeMs / 2)
  return Math.min(lifeMs - marginMs, LONGEST_LIFE_MS)
}

function readClaims(token: string): { readonly exp?: number; readonly iat?: number } {
  const reading = readJson(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  const claims = reading.isJson ? readRecord(reading.value) : undefined
  const exp = claims?.['exp']
  const iat = claims?.['iat']
  return { ...(typeof exp === 'number' ? { exp } : {}), ...(typeof iat === 'number' ? { iat } : {}) }
}
