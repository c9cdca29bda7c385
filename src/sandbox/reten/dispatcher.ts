// Reten's dispatching as documented: a run takes at most a batch of READY activities per tenant, all tenants one after
// another; each is locked, pushed, and becomes DISPATCHED, or READY again, or FAILED after the last attempt.
import { setTimeout as waitReal } from 'node:timers/promises'
import { Agent } from 'undici'
import type { CancelTimer } from '../clock.ts'
import type { Fault, Faults } from '../faults.ts'
import { buildDispatchPayload } from './dispatch-payload.ts'
import { pushActivity, pushAndHangUp, type PushEnding, type PushRequest } from './push-activity.ts'
import type { Activity, DispatchConfig, Push } from './records.ts'
import type { RetenState, Tenant } from './state.ts'
import { recordEvent } from './status-events.ts'

/** What a run did. */
export interface DispatchRun {
  readonly attempted: number
  readonly dispatched: number
  readonly failedAttempts: number
}

/** Sends activities to the tenants' providers. */
export interface Dispatcher {
  /** One run over all tenants, as the schedule would start it. */
  dispatchOnce(): Promise<DispatchRun>
  /** Runs until no activity with a configuration is READY. */
  dispatchAll(): Promise<DispatchRun>
  /** Dispatches one activity now, as the button in Reten's panel does. */
  dispatchOne(tenant: Tenant, activity: Activity, config: DispatchConfig): Promise<void>
  /** Sends it again whatever its state is, without changing that: a duplicate on demand. */
  resend(tenant: Tenant, activity: Activity, change?: Readonly<Record<string, unknown>>): Promise<Push | undefined>
  /** Starts a run every period of sandbox time; a run that takes longer delays the next. */
  start(): void
  stop(): void
  close(): Promise<void>
}

/** Makes the dispatcher of a state. */
export const createDispatcher = (state: RetenState, faults: Faults): Dispatcher => {
  const agent = new Agent({
    connections: 256,
    pipelining: 1,
    keepAliveTimeout: 30_000,
    connect: { timeout: 10_000 },
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  let cancelTimer: CancelTimer | undefined
  let isStarted = false
  let run: Promise<DispatchRun> | undefined

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

  const send = async (activity: Activity, push: PushRequest, how: 'read' | 'unread' | 'hang_up'): Promise<Push> => {
    const at = state.clock.nowIso()
    const attempt = activity.dispatchAttemptCount
    const ending: PushEnding = how === 'hang_up' ? await pushAndHangUp(push) : await pushActivity(push)
    const isThrownAway = how === 'unread' && ending.statusCode !== null
    const record: Push = { attempt, at, ...ending, ...(isThrownAway ? { outcome: 'unread' } : {}) }
    activity.pushes.push(record)
    return record
  }

  const sendWithFault = async (activity: Activity, push: PushRequest, fault: Fault | undefined): Promise<Push> => {
    switch (fault?.kind) {
      case 'never_sent': {
        const record: Push = { ...neverSent, attempt: activity.dispatchAttemptCount, at: state.clock.nowIso() }
        activity.pushes.push(record)
        return record
      }
      case 'hung_up':
        return send(activity, push, 'hang_up')
      case 'reply_lost':
        return send(activity, push, 'unread')
      case 'twice_at_once': {
        const [first] = await Promise.all([send(activity, push, 'read'), send(activity, push, 'read')])
        return first
      }
      case 'duplicate': {
        const first = await send(activity, push, 'read')
        if (first.outcome === 'acknowledged') await send(activity, push, 'read')
        return first
      }
      default:
        return send(activity, push, state.switches.loseFirstReply && activity.pushes.length === 0 ? 'unread' : 'read')
    }
  }

  const dispatchOne = async (tenant: Tenant, activity: Activity, config: DispatchConfig): Promise<void> => {
    if (activity.isBeingDispatched) return
    activity.isBeingDispatched = true
    activity.dispatchAttemptCount += 1
    recordEvent(state, activity, 'DISPATCH_ATTEMPT')
    const push = await sendWithFault(activity, toPush(activity, config, {}), faults.draw('dispatch', activity.id))
    activity.isBeingDispatched = false
    settle(state, tenant, activity, push)
  }

  const resend: Dispatcher['resend'] = async (tenant, activity, change = {}) => {
    const config = findDispatchConfig(tenant, activity)
    return config === undefined ? undefined : send(activity, toPush(activity, config, change), 'read')
  }

  const runTenant = async (tenant: Tenant): Promise<DispatchRun> => {
    const batch: [Activity, DispatchConfig][] = []
    for (const activity of tenant.ready) {
      if (batch.length >= state.switches.dispatchBatch) break
      const config = findDispatchConfig(tenant, activity)
      if (config !== undefined && !activity.isBeingDispatched) batch.push([activity, config])
    }
    const pace = createPace(state.switches.dispatchRatePerSecond)
    const queue = batch.values()
    const lane = async (): Promise<void> => {
      for (const [activity, config] of queue) {
        await pace()
        // Cancelled, or dispatched by hand, since the batch was taken.
        if (activity.status === 'READY') await dispatchOne(tenant, activity, config)
      }
    }
    await Promise.all(Array.from({ length: state.switches.dispatchConcurrency }, lane))
    const dispatched = batch.filter(([activity]) => activity.status !== 'READY' && activity.status !== 'FAILED').length
    return { attempted: batch.length, dispatched, failedAttempts: batch.length - dispatched }
  }

  const runAll = async (): Promise<DispatchRun> => {
    let total = nothing
    for (const tenant of state.tenants.values()) total = add(total, await runTenant(tenant))
    return total
  }

  // Runs never overlap: whoever asks during a run gets the one after it.
  const dispatchOnce = async (): Promise<DispatchRun> => {
    while (run !== undefined) await run
    run = runAll()
    try {
      return await run
    } finally {
      run = undefined
    }
  }

  const dispatchAll = async (): Promise<DispatchRun> => {
    let total = nothing
    for (let last = await dispatchOnce(); last.attempted > 0; last = await dispatchOnce()) total = add(total, last)
    return total
  }

  const schedule = (): void => {
    cancelTimer = state.clock.after(state.switches.dispatchPeriodMs, () => {
      void dispatchOnce().finally(() => {
        if (isStarted) schedule()
      })
    })
  }

  const stop = (): void => {
    isStarted = false
    cancelTimer?.()
  }

  return {
    dispatchOnce,
    dispatchAll,
    dispatchOne,
    resend,
    start: () => {
      if (isStarted) return
      isStarted = true
      schedule()
    },
    stop,
    close: async () => {
      stop()
      await agent.destroy()
      await run
    },
  }
}

/** The tenant's active configuration for the activity's channel. */
export const findDispatchConfig = (tenant: Tenant, activity: Activity): DispatchConfig | undefined => {
  for (const config of tenant.dispatchConfigs.values()) {
    if (config.isActive && config.channel === activity.channel) return config
  }
  return undefined
}

const nothing: DispatchRun = { attempted: 0, dispatched: 0, failedAttempts: 0 }

const neverSent = {
  outcome: 'never_sent',
  statusCode: null,
  providerActivityId: null,
  durationMs: 0,
  error: 'ECONNREFUSED: connect',
} as const

const add = (left: DispatchRun, right: DispatchRun): DispatchRun => ({
  attempted: left.attempted + right.attempted,
  dispatched: left.dispatched + right.dispatched,
  failedAttempts: left.failedAttempts + right.failedAttempts,
})

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
  const fault = {
    code: push.statusCode === null ? push.outcome.toUpperCase() : `HTTP_${push.statusCode}`,
    message: push.error ?? '',
  }
  recordEvent(state, activity, 'DISPATCH_FAILED', activity.status, fault)
  if (activity.status !== 'READY') {
    tenant.ready.delete(activity)
    return
  }
  const isClientError = push.outcome === 'refused' && push.statusCode !== null && push.statusCode < 500
  const isFinal = isClientError && !state.switches.retryOnClientError
  if (isFinal || activity.dispatchAttemptCount >= state.switches.dispatchAttempts) {
    tenant.ready.delete(activity)
    recordEvent(state, activity, 'FAILED', 'FAILED', fault)
  }
}

// Real time: a rate is what the receiver has to bear.
const createPace = (perSecond: number): (() => Promise<void>) => {
  if (perSecond <= 0) return async () => {}
  let nextAtMs = performance.now()
  return async () => {
    const atMs = Math.max(nextAtMs, performance.now())
    nextAtMs = atMs + 1000 / perSecond
    const waitMs = atMs - performance.now()
    if (waitMs > 1) await waitReal(waitMs)
  }
}
