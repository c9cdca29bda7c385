import type { Test } from 'tap'
import { createSandboxClock } from '../../src/sandbox/clock.ts'
import { startYomSandbox, type YomSandbox, type YomSandboxOptions } from '../../src/sandbox/start-yom-sandbox.ts'
import { callJson, type JsonCall, type JsonReply } from './call-json.ts'
import { startReceiver, type Receiver } from './start-receiver.ts'
import { NOON } from './start-reten.ts'

/** Starts a stand-in on a free port, with a clock that stands still, until the test is over. */
export const startYom = async (t: Test, options: Partial<YomSandboxOptions> = {}): Promise<YomSandbox> => {
  const clock = createSandboxClock({ speed: 0, startAtMs: NOON })
  const yom = await startYomSandbox({ port: 0, seed: t.name, clock, slowMs: 20, ...options })
  t.teardown(() => yom.close())
  return yom
}

/** Starts a receiver until the test is over, and has the stand-in call it back. */
export const hearFrom = async (
  t: Test,
  yom: YomSandbox,
  answer: Parameters<typeof startReceiver>[0] = () => ({ status: 200 }),
): Promise<Receiver> => {
  const receiver = await startReceiver(answer)
  t.teardown(() => receiver.close())
  yom.setWebhook({ url: `${receiver.url}/webhooks/yom`, token: 'our-token' })
  return receiver
}

/** Calls the stand-in with its API key. */
export const callYom = (yom: YomSandbox, path: string, call: JsonCall = {}): Promise<JsonReply> =>
  callJson(`${yom.url}${path}`, { ...call, headers: { 'x-api-key': yom.credentials.apiKey, ...call.headers } })

/** Asks for a task that nothing is wrong with, changed as wanted; the key is the external id. */
export const sendTask = (
  yom: YomSandbox,
  externalId: string,
  change: Readonly<Record<string, unknown>> = {},
): Promise<JsonReply> =>
  callYom(yom, '/activities', {
    headers: { 'idempotency-key': externalId },
    body: { externalId, activityId: `a-${externalId}`, commerceId: 'C-1001', sellerId: 'V-01', ...change },
  })
