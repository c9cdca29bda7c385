// One request to Reten and what came of it, for every client of Reten's API: address, credentials, deadline and cap.
import { createExcerpt } from '../http-answer.ts'
import { HttpFault } from '../http-client.ts'
import type { HttpClient } from '../http-client.ts'
import type { Validated } from '../schemas.ts'
import { SECOND_MS, systemClock } from '../time.ts'
import type { Clock } from '../time.ts'
import { readRetenAnswer, readRetenFault } from './reten-answer.ts'
import type { RetenAnswer } from './reten-answer.ts'

/** An API key (`rtn_sk_…`), which names its tenant; or a user's token, which needs the tenant beside it. */
export type RetenCredentials = { readonly apiKey: string } | { readonly token: string; readonly tenantId: string }

export interface RetenCallInput {
  /** An origin of `RETEN_ENVIRONMENTS` or another; without `/api`, which is tolerated, as are trailing slashes. */
  readonly baseUrl: string
  readonly credentials: RetenCredentials
  readonly http: HttpClient
  /** For one call in all; default 10,000. */
  readonly timeoutMs?: number | undefined
  /** Default: the system's. */
  readonly clock?: Clock | undefined
}

export interface RetenTarget<T> {
  /** Begins with `/api`. */
  readonly path: string
  /** With one the method is POST, else GET. */
  readonly body?: unknown
  readonly maxResponseBytes: number
  readonly validate: (value: unknown) => Validated<T>
}

/** One request, no retries. Never rejects because of Reten. */
export type RetenCall = <T>(target: RetenTarget<T>, signal: AbortSignal) => Promise<RetenAnswer<T>>

/** Reten answers from one database; what takes longer is not coming. */
const TIMEOUT_MS = 10 * SECOND_MS

/** Makes the function that calls. Calls nobody. */
export function createRetenCall(input: RetenCallInput): RetenCall {
  const { credentials, http } = input
  const baseUrl = input.baseUrl.replace(/\/+$/, '').replace(/\/api$/, '')
  const clock = input.clock ?? systemClock
  const excerpt = createExcerpt(['apiKey' in credentials ? credentials.apiKey : credentials.token])
  const authentication = headersOf(credentials)

  return async <T>(target: RetenTarget<T>, signal: AbortSignal): Promise<RetenAnswer<T>> => {
    const { path, validate, maxResponseBytes } = target
    const method = target.body === undefined ? 'GET' : 'POST'
    const body = target.body === undefined ? undefined : JSON.stringify(target.body)
    const request = excerpt(`${method} ${path}${body === undefined ? '' : `\n${body}`}`)
    try {
      const answer = await http.request({
        method,
        url: baseUrl + path,
        headers: {
          ...authentication,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body,
        timeoutMs: input.timeoutMs ?? TIMEOUT_MS,
        maxResponseBytes,
        signal,
      })
      return readRetenAnswer({ answer, validate, nowMs: clock.now(), request, excerpt })
    } catch (error) {
      if (!(error instanceof HttpFault)) throw error
      return readRetenFault(error, request)
    }
  }
}

/** A query string of what is there; empty where nothing is. */
export function toQueryString(parameters: Readonly<Record<string, string | number | undefined>>): string {
  const present = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) present.set(name, String(value))
  return present.size === 0 ? '' : `?${present.toString()}`
}

function headersOf(credentials: RetenCredentials): Readonly<Record<string, string>> {
  if ('apiKey' in credentials) return { 'x-api-key': credentials.apiKey }
  return { authorization: `Bearer ${credentials.token}`, 'x-tenant-id': credentials.tenantId }
}
