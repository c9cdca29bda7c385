import { request as nodeRequest } from 'node:http'
import { request as nodeSecureRequest } from 'node:https'
import { performance } from 'node:perf_hooks'
import { request, type Dispatcher } from 'undici'
import type { Push } from './records.ts'

/** One sending of one activity. */
export interface PushRequest {
  readonly url: string
  readonly apiKey: string
  readonly body: string
  readonly timeoutMs: number
  readonly providerIdKeys: readonly string[]
  readonly agent: Dispatcher
}

/** How a sending ended. */
export type PushEnding = Pick<Push, 'outcome' | 'statusCode' | 'providerActivityId' | 'durationMs' | 'error'>

/** POSTs a dispatch and reads the reply. Never throws: every ending is a value. */
export const pushActivity = async (push: PushRequest): Promise<PushEnding> => {
  const startedAt = performance.now()
  const durationMs = (): number => Math.round(performance.now() - startedAt)
  try {
    const reply = await request(push.url, {
      method: 'POST',
      dispatcher: push.agent,
      headers: { 'content-type': 'application/json', accept: 'application/json', 'x-api-key': push.apiKey },
      body: push.body,
      signal: AbortSignal.timeout(push.timeoutMs),
    })
    const text = await reply.body.text()
    const isAccepted = reply.statusCode >= 200 && reply.statusCode < 300
    return {
      outcome: isAccepted ? 'acknowledged' : 'refused',
      statusCode: reply.statusCode,
      providerActivityId: isAccepted ? (readProviderId(text, push.providerIdKeys) ?? null) : null,
      durationMs: durationMs(),
      error: isAccepted ? null : text.slice(0, 300),
    }
  } catch (error) {
    const isTimeout = error instanceof Error && error.name === 'TimeoutError'
    return {
      outcome: isTimeout ? 'timeout' : 'network_error',
      statusCode: null,
      providerActivityId: null,
      durationMs: durationMs(),
      error: describe(error),
    }
  }
}

/** Sends the whole request on a connection of its own and closes that as soon as the last byte is out. */
export const pushAndHangUp = async (push: PushRequest): Promise<PushEnding> => {
  const startedAt = performance.now()
  const error = await new Promise<string>((resolve) => {
    const send = push.url.startsWith('https:') ? nodeSecureRequest : nodeRequest
    const call = send(push.url, {
      method: 'POST',
      agent: false,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(push.body),
        'x-api-key': push.apiKey,
      },
      signal: AbortSignal.timeout(push.timeoutMs),
    })
    call.on('error', (fault) => resolve(describe(fault)))
    call.on('finish', () => {
      call.destroy()
      resolve('closed by the sender before the reply')
    })
    call.end(push.body)
  })
  const durationMs = Math.round(performance.now() - startedAt)
  return { outcome: 'hung_up', statusCode: null, providerActivityId: null, durationMs, error }
}

const readProviderId = (text: string, keys: readonly string[]): string | undefined => {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    // A 2xx without JSON counts as success without an id: nothing documented says otherwise.
    return undefined
  }
  if (typeof body !== 'object' || body === null) return undefined
  for (const key of keys) {
    const value: unknown = Object.entries(body).find(([name]) => name === key)?.[1]
    if (typeof value === 'string' && value !== '') return value
    if (typeof value === 'number') return String(value)
  }
  return undefined
}

const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const code: unknown = 'code' in error ? error.code : undefined
  return typeof code === 'string' ? `${code}: ${error.message}` : error.message
}
