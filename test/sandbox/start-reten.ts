import type { Test } from 'tap'
import { createSandboxClock } from '../../src/sandbox/clock.ts'
import {
  startRetenSandbox,
  type RetenSandbox,
  type RetenSandboxOptions,
} from '../../src/sandbox/start-reten-sandbox.ts'
import { callJson, type JsonReply } from './call-json.ts'
import { startReceiver, type Receiver } from './start-receiver.ts'

/** Noon of a day, where the tests' frozen clocks stand. */
export const NOON = Date.UTC(2026, 4, 4, 12)

/** Starts a stand-in on a free port, with a clock that stands still, until the test is over. */
export const startReten = async (t: Test, options: Partial<RetenSandboxOptions> = {}): Promise<RetenSandbox> => {
  const clock = createSandboxClock({ speed: 0, startAtMs: NOON })
  const reten = await startRetenSandbox({ port: 0, seed: t.name, clock, ...options })
  t.teardown(() => reten.close())
  return reten
}

/** Starts a receiver until the test is over, and has the stand-in dispatch to it. */
export const receiveFrom = async (
  t: Test,
  reten: RetenSandbox,
  answer?: Parameters<typeof startReceiver>[0],
): Promise<Receiver> => {
  const receiver = await startReceiver(answer)
  t.teardown(() => receiver.close())
  reten.setDispatchConfig({ baseUrl: receiver.url, apiKey: 'their-key' })
  return receiver
}

/** Calls a route of the integration family with the ready-made tenant's key. */
export const callIntegration = (reten: RetenSandbox, path: string, body?: unknown): Promise<JsonReply> =>
  callJson(`${reten.url}/api/integration/${path}`, {
    headers: { 'x-api-key': reten.ready.apiKey },
    ...(body === undefined ? {} : { body }),
  })

/** Calls a route of the core family as a user with a role. */
export const callAsUser = (
  reten: RetenSandbox,
  role: Parameters<RetenSandbox['createToken']>[0],
  path: string,
  call: { readonly method?: string; readonly body?: unknown } = {},
): Promise<JsonReply> =>
  callJson(`${reten.url}/api/${path}`, {
    ...call,
    headers: { authorization: `Bearer ${reten.createToken(role)}`, 'x-tenant-id': reten.ready.tenant.id },
  })

/** A result for an activity that nothing is wrong with, changed as wanted. */
export const resultFor = (
  activity: { readonly id: string; readonly commerce: { readonly externalId: string } },
  change: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> => ({
  activity_id: activity.id,
  commerce_external_id: activity.commerce.externalId,
  occurred_at: new Date(NOON).toISOString(),
  status: 'EFFECTIVE',
  task_result: { result: 'SALE_COMPLETED', comment: 'Pedido tomado', contact_type: 'OUTBOUND' },
  ...change,
})

/** The one activity of a stand-in that was asked for one. */
export const oneActivity = (reten: RetenSandbox): ReturnType<RetenSandbox['activities']>[0] => {
  const [activity] = reten.createActivities(1)
  if (activity === undefined) throw new RangeError('no activity was made')
  return activity
}
