import type { SandboxClock } from '../clock.ts'
import { createSeededRandom, type DrawKey, type SeededRandom } from '../seeded-random.ts'
import type {
  Activity,
  ActivityAttribute,
  ActivityResult,
  ApiKey,
  Commerce,
  DispatchConfig,
  Operator,
  ResultType,
  Route,
} from './records.ts'
import { createDispatchProviders, type DispatchProvider } from './dispatch-providers.ts'
import { defaultRetenSwitches, type RetenSwitches } from './switches.ts'
import type { User } from './users.ts'

/** A customer of Reten's: everything but providers belongs to exactly one. */
export interface Tenant {
  readonly id: string
  readonly code: string
  readonly name: string
  readonly apiKeys: Map<string, ApiKey>
  readonly resultTypes: Map<string, ResultType>
  readonly commerces: Map<string, Commerce>
  readonly commercesByExternalId: Map<string, Commerce>
  readonly operators: Map<string, Operator>
  readonly routes: Map<string, Route>
  readonly dispatchConfigs: Map<string, DispatchConfig>
  readonly attributePolicies: Map<string, AttributePolicy>
  readonly activities: Map<string, Activity>
  /** Activities waiting for the dispatcher, oldest first. */
  readonly ready: Set<Activity>
  readonly byProviderActivityId: Map<string, Activity>
  readonly byIdempotencyKey: Map<string, Activity>
  /** Results that no activity was found for. */
  readonly standalone: StandaloneResult[]
}

/** How a tenant's attribute gets its value. */
export interface AttributePolicy {
  readonly id: string
  readonly attributeKeyId: string
  readonly strategy: ActivityAttribute['strategy']
  readonly resolverType: string
}

/** A result tied to a commerce only. */
export interface StandaloneResult {
  readonly commerceExternalId: string
  readonly activityId: string | undefined
  readonly providerActivityId: string | undefined
  readonly result: ActivityResult
}

/** Everything Reten's stand-in knows. */
export interface RetenState {
  readonly clock: SandboxClock
  readonly random: SeededRandom
  readonly seed: DrawKey
  switches: RetenSwitches
  readonly tenants: Map<string, Tenant>
  readonly keysByHash: Map<string, ApiKey>
  readonly users: Map<string, User>
  readonly tokenSecret: string
  readonly providers: ReadonlyMap<string, DispatchProvider>
  /** A fresh id; the n-th of a kind is the same in every run with the same seed. */
  nextId(kind: string): string
}

/** Makes an empty state. */
export const createRetenState = (
  clock: SandboxClock,
  seed: DrawKey,
  switches: Partial<RetenSwitches> = {},
): RetenState => {
  const random = createSeededRandom(seed)
  const drawn = new Map<string, number>()
  return {
    clock,
    random,
    seed,
    switches: { ...defaultRetenSwitches, ...switches },
    tenants: new Map(),
    keysByHash: new Map(),
    users: new Map(),
    tokenSecret: random.hex(64, 'token-secret'),
    providers: createDispatchProviders(clock, random),
    nextId: (kind) => {
      const count = (drawn.get(kind) ?? 0) + 1
      drawn.set(kind, count)
      return random.uuid(kind, count)
    },
  }
}

/** The activity and its tenant, whichever that is. */
export const findActivity = (state: RetenState, id: string): [Tenant, Activity] | undefined => {
  for (const tenant of state.tenants.values()) {
    const activity = tenant.activities.get(id)
    if (activity !== undefined) return [tenant, activity]
  }
  return undefined
}

/** The tenant, or the first when none is named; `undefined` when that names nobody. */
export const findTenant = (state: RetenState, idOrCode?: string): Tenant | undefined => {
  if (idOrCode === undefined) return state.tenants.values().next().value
  const byId = state.tenants.get(idOrCode)
  if (byId !== undefined) return byId
  for (const tenant of state.tenants.values()) if (tenant.code === idOrCode) return tenant
  return undefined
}
