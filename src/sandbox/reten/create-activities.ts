import type {
  Activity,
  ActivityAttribute,
  Channel,
  CodeLabel,
  Commerce,
  Operator,
  PayloadShape,
  Route,
  TargetUser,
} from './records.ts'
import type { RetenState, Tenant } from './state.ts'
import { resolveOnCreation } from './resolve-activity.ts'
import { recordEvent } from './status-events.ts'

/** What an activity is made of; what is left out is drawn or empty. */
export interface NewActivity {
  readonly type?: 'TASK' | 'MESSAGE'
  readonly channel?: Channel
  readonly reason?: CodeLabel
  readonly userStatus?: CodeLabel | null
  readonly score?: number | null
  readonly assignmentReason?: string | null
  readonly idempotencyKey?: string
  readonly scheduledAt?: string
  readonly suggestedExecutionTime?: string | null
  readonly commerce?: Commerce
  readonly operator?: Operator
  readonly route?: Route
  readonly attributes?: readonly ActivityAttribute[]
  readonly targetUsers?: readonly TargetUser[]
  /** The body this activity is dispatched with, whatever the switch says. */
  readonly payloadShape?: PayloadShape
}

const DAY_MS = 86_400_000
const reasons = [
  { code: 'retention', label: 'Retencion' },
  { code: 'reactivation', label: 'Reactivacion' },
  { code: 'cross_sell', label: 'Venta cruzada' },
] as const
const userStatuses = [
  { code: 'active', label: 'Activo' },
  { code: 'at_risk', label: 'En Riesgo' },
  { code: 'churned', label: 'Perdido' },
] as const

/** Makes one activity: READY and in the dispatcher's queue, or UNRESOLVED when it asks for what cannot be found. Throws a RangeError when the tenant has no commerce. */
export const createActivity = (state: RetenState, tenant: Tenant, input: NewActivity = {}): Activity => {
  const { random, clock } = state
  const id = state.nextId('activity')
  const operator =
    input.operator ?? (tenant.operators.size === 0 ? undefined : drawFrom(tenant.operators, state, id, 'operator'))
  const now = clock.nowIso()
  const activity: Activity = {
    id,
    tenantId: tenant.id,
    type: input.type ?? 'TASK',
    channel: input.channel ?? 'SALESMAN',
    status: 'READY',
    reason: input.reason ?? random.pick(reasons, id, 'reason'),
    userStatus: input.userStatus === undefined ? random.pick(userStatuses, id, 'user-status') : input.userStatus,
    score: input.score === undefined ? random.between(0, 100, id, 'score') : input.score,
    assignmentReason: input.assignmentReason ?? null,
    idempotencyKey: input.idempotencyKey ?? `sandbox-${id}`,
    scheduledAt: input.scheduledAt ?? new Date(clock.nowMs() + DAY_MS).toISOString(),
    suggestedExecutionTime: input.suggestedExecutionTime ?? null,
    commerce: input.commerce ?? drawFrom(tenant.commerces, state, id, 'commerce'),
    operator,
    route: input.route ?? routeOf(tenant, operator),
    attributes: input.attributes ?? [],
    targetUsers: input.targetUsers ?? [],
    payloadShape: input.payloadShape,
    createdAt: now,
    updatedAt: now,
    dispatchAttemptCount: 0,
    isBeingDispatched: false,
    providerActivityId: undefined,
    events: [],
    pushes: [],
    result: undefined,
    registrations: { final: 0, pending: 0, doubled: 0, conflicts: 0 },
  }
  recordEvent(state, activity, 'CREATED')
  tenant.activities.set(id, activity)
  tenant.byIdempotencyKey.set(activity.idempotencyKey, activity)
  tenant.ready.add(activity)
  resolveOnCreation(state, tenant, activity)
  return activity
}

/** Makes many alike. */
export const createActivities = (
  state: RetenState,
  tenant: Tenant,
  count: number,
  input: NewActivity = {},
): Activity[] => Array.from({ length: count }, () => createActivity(state, tenant, input))

const drawFrom = <T>(records: ReadonlyMap<string, T>, state: RetenState, id: string, what: string): T =>
  state.random.pick([...records.values()], id, what)

const routeOf = (tenant: Tenant, operator: Operator | undefined): Route | undefined => {
  if (operator === undefined) return undefined
  for (const route of tenant.routes.values()) if (route.operators.has(operator.id)) return route
  return undefined
}
