import { Agent, request } from 'undici'
import type { Background } from '../background.ts'
import type { TaskEvent, WebhookSend } from './records.ts'
import type { YomState } from './state.ts'

/** Calls the receiver back. */
export interface WebhookSender {
  /** Sends now and again after waits until a 2xx, or until the tries are used up. */
  send(event: TaskEvent): void
  /** The same after a wait. */
  sendLater(delayMs: number, event: TaskEvent): void
  /** One try, waited for; what is left of the tries goes on in the background. */
  sendAndWait(event: TaskEvent): Promise<void>
  /** POSTs any body once. */
  post(body: unknown): Promise<WebhookSend>
  close(): Promise<void>
}

// Waits double from webhookRetryMs; beyond this they stay.
const LONGEST_RETRY_MS = 60_000

/** Makes the sender of a state; without a webhook configured an event is given up at once. */
export const createWebhookSender = (state: YomState, background: Background): WebhookSender => {
  const agent = new Agent({
    connections: 128,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    headersTimeout: 0,
    bodyTimeout: 0,
  })

  const post = async (body: unknown): Promise<WebhookSend> => {
    const at = state.clock.nowIso()
    const { webhook } = state
    if (webhook === undefined) return { at, statusCode: null, error: 'no webhook is configured' }
    state.totals.webhookSends += 1
    try {
      const reply = await request(webhook.url, {
        method: 'POST',
        dispatcher: agent,
        headers: { 'content-type': 'application/json', 'x-api-key': webhook.token },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(state.switches.webhookTimeoutMs),
      })
      const text = await reply.body.text()
      const isDelivered = reply.statusCode >= 200 && reply.statusCode < 300
      return { at, statusCode: reply.statusCode, error: isDelivered ? null : text.slice(0, 300) }
    } catch (error) {
      return { at, statusCode: null, error: error instanceof Error ? error.message : String(error) }
    }
  }

  const tryOnce = async (event: TaskEvent, attempt: number): Promise<void> => {
    const sent = await post(event.body)
    event.sends.push(sent)
    if (sent.statusCode !== null && sent.error === null) {
      event.state = 'delivered'
    } else if (attempt >= state.switches.webhookAttempts || state.webhook === undefined) {
      if (event.state === 'waiting') event.state = 'given_up'
    } else {
      const waitMs = Math.min(state.switches.webhookRetryMs * 2 ** (attempt - 1), LONGEST_RETRY_MS)
      background.later(waitMs, () => background.run(() => tryOnce(event, attempt + 1)))
    }
  }

  return {
    send: (event) => background.run(() => tryOnce(event, 1)),
    sendLater: (delayMs, event) => background.later(delayMs, () => background.run(() => tryOnce(event, 1))),
    sendAndWait: (event) => tryOnce(event, 1),
    post,
    close: () => agent.destroy(),
  }
}
