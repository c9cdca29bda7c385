// One attempt to dispatch one activity: lock, push, settle. Faults come between, as the draw says.
import { Agent } from 'undici'
import type { Fault, Faults } from '../faults.ts'
import { findDispatchConfig } from './dispatch-configs.ts'
import { buildDispatchPayload } from './dispatch-payload.ts'
import { pushActivity, pushAndHangUp, type PushEnding, type PushRequest } from './push-activity.ts'
import type { Activity, DispatchConfig, Push } from './records.ts'
import { resolveOnDispatch } from './resolve-activity.ts'
import type { RetenState, Tenant } from './state.ts'
import { recordEvent } from './status-events.ts'

/** Makes attempts. */
export interface ActivityDispatch {
  /** One attempt; does nothing while another is under way. */
  dispatchOne(tenant: Tenant, activity: Activity, config: DispatchConfig): Promise<void>
  /** Sends it again whatever its state is, without changing that: a duplicate on demand. */
  resend(tenant: Tenant, activity: Activity, change?: Readonly<Record<string, unknown>>): Promise<Push | undefined>
  close(): Promise<void>
}

/** Makes the attempts of a state, over connections that are kept open. */
export const createActivityDispatch = (state: RetenState, faults: Faults): ActivityDispatch => {
  const agent = new Agent({
    connections: 256,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    connect: { timeout: 10_000 },
    // The push has a deadline of its own.
    headersTimeout: 0,
    bodyTimeout: 0,
  })

  const toPush = (
    activity: Activity,
    config: DispatchConfig,
    change: Readonly<Record<string, unknown>>,
  ): PushRequest => ({
    url: `${config.baseUrl}/activities`,
    apiKey: config.credentials['apiKey'] ?? '',
    body: JSON.stringify({ ...buildDispatchPayload(state, activity), ...change }),
    timeoutMs: state.switches.dispatchTimeoutMs,
    providerIdKeys: state.switches.providerIdKeys,
    agent,
  })

  const record = (activity: Activity, ending: PushEnding, at = state.clock.nowIso()): Push => {
    const push: Push = { attempt: activity.dispatchAttemptCount, at, ...ending }
    activity.pushes.push(push)
    return push
  }

  const send = async (activity: Activity, push: PushRequest): Promise<Push> => {
    const at = state.clock.nowIso()
    return record(activity, await pushActivity(push), at)
  }

  const sendUnread = async (activity: Activity, push: PushRequest): Promise<Push> => {
    const at = state.clock.nowIso()
    const ending = await pushActivity(push)
    return record(activity, ending.statusCode === null ? ending : { ...ending, outcome: 'unread' }, at)
  }

  const sendWithFault = async (activity: Activity, push: PushRequest, fault: Fault | undefined): Promise<Push> => {
    switch (fault?.kind) {
      case 'never_sent':
        return record(activity, neverSent)
      case 'hung_up':
        return record(activity, await pushAndHangUp(push))
      case 'reply_lost':
        return sendUnread(activity, push)
      case 'twice_at_once': {
        const [first] = await Promise.all([send(activity, push), send(activity, push)])
        return first
      }
      case 'duplicate': {
        const first = await send(activity, push)
        if (first.outcome === 'acknowledged') await send(activity, push)
        return first
      }
      default:
        if (state.switches.loseFirstReply && activity.pushes.length === 0) return sendUnread(activity, push)
        return send(activity, push)
    }
  }

  const dispatchOne: ActivityDispatch['dispatchOne'] = async (tenant, activity, config) => {
    if (activity.isBeingDispatched) return
    activity.isBeingDispatched = true
    activity.dispatchAttemptCount += 1
    recordEvent(state, activity, 'DISPATCH_ATTEMPT')
    resolveOnDispatch(state, activity)
    const push = isMock(state, config)
      ? record(activity, { ...mocked, providerActivityId: state.nextId('mock-provider-activity') })
      : await sendWithFault(activity, toPush(activity, config, {}), faults.draw('dispatch', activity.id))
    activity.isBeingDispatched = false
    settle(state, tenant, activity, push)
  }

  return {
    dispatchOne,
    resend: async (tenant, activity, change = {}) => {
      const config = findDispatchConfig(tenant, activity)
      return config === undefined ? undefined : send(activity, toPush(activity, config, change))
    },
    close: () => agent.destroy(),
  }
}

const neverSent: PushEnding = {
  outcome: 'never_sent',
  statusCode: null,
  providerActivityId: null,
  durationMs: 0,
  error: 'ECONNREFUSED: connect',
}

const mocked: PushEnding = {
  outcome: 'acknowledged',
  statusCode: null,
  providerActivityId: null,
  durationMs: 0,
  error: null,
}

const isMock = (state: RetenState, config: DispatchConfig): boolean =>
  state.providers.get(config.dispatchProviderId)?.code === 'MOCK'

const settle = (state: RetenState, tenant: Tenant, activity: Activity, push: Push): void => {
  if (push.outcome === 'acknowledged') {
    tenant.ready.delete(activity)
    if (push.providerActivityId !== null) {
      activity.providerActivityId = push.providerActivityId
      tenant.byProviderActivityId.set(push.providerActivityId, activity)
    }
    // A result may have come before the reply was read: then the activity has ended already.
    recordEvent(state, activity, 'DISPATCH_SUCCESS', activity.status === 'READY' ? 'DISPATCHED' : activity.status)
    return
  }
  const code = push.statusCode === null ? push.outcome.toUpperCase() : `HTTP_${push.statusCode}`
  const fault = { code, message: push.error ?? 'the reply was not read' }
  recordEvent(state, activity, 'DISPATCH_FAILED', activity.status, fault)
  const isRefusedForGood =
    push.outcome === 'refused' && (push.statusCode ?? 0) < 500 && !state.switches.retryOnClientError
  if (activity.status !== 'READY') {
    tenant.ready.delete(activity)
  } else if (isRefusedForGood || activity.dispatchAttemptCount >= state.switches.dispatchAttempts) {
    tenant.ready.delete(activity)
    recordEvent(state, activity, 'FAILED', 'FAILED', fault)
  }
}
