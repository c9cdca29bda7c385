import type { FastifyBaseLogger } from 'fastify'
import { randomUUID } from 'node:crypto'
import { createSandboxClock, type SandboxClock } from './clock.ts'
import { addControlRoutes } from './control-routes.ts'
import { createFaults, type FaultOptions, type Faults } from './faults.ts'
import { createSandboxServer, listen } from './http-server.ts'
import { cancelActivity, dispatchByHand, forceDispatch } from './reten/activity-actions.ts'
import { createApiKey, type NewApiKey } from './reten/api-keys.ts'
import { callerDecorator } from './reten/authenticate.ts'
import { addCoreRoutes } from './reten/core-routes.ts'
import { createActivities, type NewActivity } from './reten/create-activities.ts'
import { createTenant, type NewTenant } from './reten/create-tenant.ts'
import { setDispatchConfig, type NewDispatchConfig } from './reten/dispatch-configs.ts'
import { createActivityDispatch } from './reten/dispatch-activity.ts'
import { createDispatcher, type DispatchRun } from './reten/dispatcher.ts'
import { countReten, type RetenCounts } from './reten/inspect.ts'
import { addIntegrationRoutes } from './reten/integration-routes.ts'
import type { Activity, Push } from './reten/records.ts'
import { retenErrorBody } from './reten/refuse.ts'
import { addSandboxActivityRoutes } from './reten/sandbox-activity-routes.ts'
import { addSandboxRoutes } from './reten/sandbox-routes.ts'
import { createRetenState, findActivity, findTenant, type Tenant } from './reten/state.ts'
import { retenSwitchesSchema, type RetenSwitches } from './reten/switches.ts'
import { addUser, issueToken, type Role } from './reten/users.ts'
import type { DrawKey } from './seeded-random.ts'

/** How Reten's stand-in is started. */
export interface RetenSandboxOptions {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** 0 chooses a free one; Reten's documented local address is port 3000. */
  readonly port: number
  /** Default: real time. Share it with YOM's stand-in. */
  readonly clock?: SandboxClock
  readonly switches?: Partial<RetenSwitches>
  readonly faults?: FaultOptions
  readonly logger?: FastifyBaseLogger
  /**
   * Makes ids, keys and choices repeat themselves. Default: another one each time, because activities with the ids of an
   * earlier run are repeats to a receiver that remembers them.
   */
  readonly seed?: DrawKey
  /** The ready-made tenant's key, chosen instead of drawn. */
  readonly apiKey?: string
  /** The ready-made tenant's size and names. */
  readonly tenant?: NewTenant
  /** Start the schedule at once. Default false: `dispatchOnce` and `startDispatching` decide. */
  readonly isDispatching?: boolean
  /** How long a `slow` fault holds an answer back at most, in real milliseconds. Default 300. */
  readonly slowMs?: number
}

/** A tenant and the key to speak for it. */
export interface ReadyTenant {
  readonly tenant: Tenant
  readonly apiKey: string
}

/** Reten's stand-in, running. Tenants are named by id or code; left out, the ready-made one is meant. */
export interface RetenSandbox {
  /** The origin, without `/api`. */
  readonly url: string
  /** The tenant that is there from the start. */
  readonly ready: ReadyTenant
  readonly clock: SandboxClock
  readonly faults: Faults
  switches(): RetenSwitches
  setSwitches(change: Partial<RetenSwitches>): void
  createTenant(input?: NewTenant): ReadyTenant
  /** Answers the key itself; its default permissions are what a provider needs. */
  createApiKey(input?: NewApiKey, tenant?: string): string
  /** A bearer token of a new user; goes with `x-tenant-id`. */
  createToken(role: Role, tenant?: string): string
  setDispatchConfig(input: NewDispatchConfig, tenant?: string): void
  createActivities(count: number, input?: NewActivity, tenant?: string): Activity[]
  dispatchOnce(): Promise<DispatchRun>
  /** Runs until nothing is READY; waits `pauseMs` of real time after a run with failed attempts, by default none. */
  dispatchAll(pauseMs?: number): Promise<DispatchRun>
  /** One attempt for one activity now, outside every run; `false`: it is not READY, or nobody is to be sent it. */
  dispatchActivity(activityId: string): Promise<boolean>
  /** Dispatches one whose dispatch failed for good once more, with all its attempts; `false`: it is not such a one. */
  forceDispatch(activityId: string): Promise<boolean>
  /** Cancels one that is not dispatched; `false`: it is, or is unknown. The provider is not told. */
  cancelActivity(activityId: string): boolean
  /** Sends an activity once more, changed if wanted, without touching its state. */
  resend(activityId: string, change?: Readonly<Record<string, unknown>>): Promise<Push | undefined>
  startDispatching(): void
  stopDispatching(): void
  counts(tenant?: string): RetenCounts
  /** The live records: look, don't touch. */
  activities(tenant?: string): Activity[]
  activity(id: string): Activity | undefined
  close(): Promise<void>
}

/** Starts a stand-in for Reten, with a tenant that is ready for use. */
export const startRetenSandbox = async (options: RetenSandboxOptions): Promise<RetenSandbox> => {
  const seed = options.seed ?? randomUUID()
  const clock = options.clock ?? createSandboxClock()
  const state = createRetenState(clock, seed, options.switches)
  const faults = createFaults(seed, options.faults)
  const attempts = createActivityDispatch(state, faults)
  const dispatcher = createDispatcher(state, attempts)
  let resultRequests = 0

  const app = createSandboxServer({
    ...(options.logger === undefined ? {} : { logger: options.logger }),
    errorBody: (statusCode, messages) => retenErrorBody(statusCode, wordMessages(messages, state.switches)),
  })
  app.decorateRequest(callerDecorator)
  const setSwitches = (change: Partial<RetenSwitches>): void => {
    state.switches = { ...state.switches, ...change }
  }
  addIntegrationRoutes(app, {
    state,
    faults,
    slowMs: options.slowMs ?? 300,
    onResultRequest: () => {
      resultRequests += 1
    },
  })
  addCoreRoutes(app, state, attempts)
  addSandboxActivityRoutes(app, state, attempts)
  addSandboxRoutes(app, { state, dispatcher, resultRequests: () => resultRequests })
  addControlRoutes(app, {
    clock,
    faults,
    switchesSchema: retenSwitchesSchema,
    switches: () => state.switches,
    setSwitches,
  })

  const addTenant = (input: NewTenant | undefined, key: NewApiKey): ReadyTenant => {
    const tenant = createTenant(state, input)
    return { tenant, apiKey: createApiKey(state, tenant, key).plaintextKey }
  }
  const tenantNamed = (name: string | undefined): Tenant => {
    const tenant = findTenant(state, name)
    if (tenant === undefined) throw new RangeError(`there is no tenant ${name ?? ''} in the sandbox`)
    return tenant
  }

  const ready = addTenant(
    { code: 'demo', name: 'Distribuidora Demo', ...options.tenant },
    options.apiKey === undefined ? {} : { plaintextKey: options.apiKey },
  )
  const url = await listen(app, options)
  if (options.isDispatching === true) dispatcher.start()

  return {
    url,
    ready,
    clock,
    faults,
    switches: () => state.switches,
    setSwitches,
    createTenant: (input) => addTenant(input, {}),
    createApiKey: (input, tenant) => createApiKey(state, tenantNamed(tenant), input).plaintextKey,
    createToken: (role, tenant) => issueToken(state, addUser(state, tenantNamed(tenant), role)),
    setDispatchConfig: (input, tenant) => void setDispatchConfig(state, tenantNamed(tenant), input),
    createActivities: (count, input, tenant) => createActivities(state, tenantNamed(tenant), count, input),
    dispatchOnce: () => dispatcher.dispatchOnce(),
    dispatchAll: (pauseMs) => dispatcher.dispatchAll(pauseMs),
    dispatchActivity: async (activityId) => {
      const found = findActivity(state, activityId)
      return found !== undefined && (await dispatchByHand(attempts, found[0], activityId)).statusCode === 204
    },
    forceDispatch: async (activityId) => {
      const found = findActivity(state, activityId)
      return found !== undefined && (await forceDispatch(attempts, ...found)).statusCode === 204
    },
    cancelActivity: (activityId) => {
      const found = findActivity(state, activityId)
      return found !== undefined && cancelActivity(state, found[0], activityId).statusCode === 200
    },
    resend: async (activityId, change) => {
      const found = findActivity(state, activityId)
      return found === undefined ? undefined : attempts.resend(...found, change)
    },
    startDispatching: () => dispatcher.start(),
    stopDispatching: () => dispatcher.stop(),
    counts: (tenant) => countReten(state, resultRequests, tenant === undefined ? undefined : tenantNamed(tenant)),
    activities: (tenant) => [...tenantNamed(tenant).activities.values()],
    activity: (id) => findActivity(state, id)?.[1],
    close: async () => {
      const isOver = dispatcher.close()
      // First, so that a receiver that never answers does not hold up the rest.
      await attempts.close()
      await isOver
      await app.close()
    },
  }
}

const wordMessages = (messages: readonly string[], switches: RetenSwitches): string | readonly string[] =>
  switches.messageShape === 'array' ? messages : messages.join('; ')
