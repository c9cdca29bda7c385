// Finding an activity's values and people. The words are documented; what a search finds, and in which order things
// happen, is this stand-in's own.
import { lookUpValue } from './attribute-keys.ts'
import type { Activity, ActivityAttribute, CommerceUser, TargetUser } from './records.ts'
import type { RetenState, Tenant } from './state.ts'
import { recordEvent } from './status-events.ts'

/** Resolves what is due at creation; what fails makes the activity UNRESOLVED and takes it out of the queue. */
export const resolveOnCreation = (state: RetenState, tenant: Tenant, activity: Activity): void => {
  if (tryToResolve(state, activity)) return
  tenant.ready.delete(activity)
  recordEvent(state, activity, 'RESOLUTION_FAILED', 'UNRESOLVED', unresolved(activity))
}

/** Tries again for an UNRESOLVED activity; afterwards it is READY and queued, or still UNRESOLVED. */
export const retryResolution = (state: RetenState, tenant: Tenant, activity: Activity): void => {
  if (tryToResolve(state, activity)) {
    recordEvent(state, activity, 'RESOLUTION_RETRY_SUCCESS', 'READY')
    tenant.ready.add(activity)
  } else {
    recordEvent(state, activity, 'RESOLUTION_RETRY_FAILED', 'UNRESOLVED', unresolved(activity))
  }
}

/** Resolves the values whose policy says ON_DISPATCH; one that cannot be found travels as null. */
export const resolveOnDispatch = (state: RetenState, activity: Activity): void => {
  for (const attribute of activity.attributes) {
    if (attribute.strategy === 'ON_DISPATCH' && !isFound(attribute)) resolveAttribute(state, activity, attribute)
  }
}

/** Fixes a target user to a person chosen by hand; `false` when it is fixed already or the person is unknown. */
export const resolveTargetByHand = (activity: Activity, target: TargetUser, commerceUserId?: string): boolean => {
  if (target.resolutionStatus !== 'PENDING' && target.resolutionStatus !== 'FAILED') return false
  const found = activity.commerce.users.find(({ id }) => commerceUserId === undefined || id === commerceUserId)
  if (found === undefined) return false
  lock(target, found, 'MANUAL_ASSIGNMENT')
  return true
}

const tryToResolve = (state: RetenState, activity: Activity): boolean => {
  for (const attribute of activity.attributes) {
    if (attribute.strategy !== 'ON_DISPATCH' && !isFound(attribute)) resolveAttribute(state, activity, attribute)
  }
  for (const target of activity.targetUsers) if (target.resolutionStatus !== 'LOCKED') resolveTarget(activity, target)
  return (
    activity.attributes.every((attribute) => attribute.strategy === 'ON_DISPATCH' || isFound(attribute)) &&
    activity.targetUsers.every(({ resolutionStatus }) => resolutionStatus === 'LOCKED')
  )
}

const isFound = ({ resolutionStatus }: ActivityAttribute): boolean =>
  resolutionStatus === 'RESOLVED' || resolutionStatus === 'FALLBACK'

const resolveAttribute = (state: RetenState, activity: Activity, attribute: ActivityAttribute): void => {
  const now = state.clock.nowIso()
  attribute.updatedAt = now
  attribute.errorMessage = null
  if (attribute.strategy === 'CALLER_PROVIDED' && attribute.value !== null) {
    attribute.resolutionStatus = 'RESOLVED'
    attribute.resolverType = 'CALLER_PROVIDED'
  } else if (
    attribute.strategy !== 'CALLER_PROVIDED' &&
    !state.switches.unresolvableAttributes.includes(attribute.key)
  ) {
    attribute.value = lookUpValue(attribute.key, activity.commerce)
    attribute.resolutionStatus = 'RESOLVED'
    attribute.resolverType = 'INTERNAL_SERVICE'
  } else if (attribute.fallback !== undefined) {
    attribute.value = attribute.fallback
    attribute.resolutionStatus = 'FALLBACK'
  } else {
    attribute.resolutionStatus = 'FAILED'
    attribute.errorMessage = `no value for ${attribute.key}`
  }
  attribute.resolvedAt = isFound(attribute) ? now : null
}

// Criteria first, by priority; then the two documented fallbacks, both on by default.
const resolveTarget = (activity: Activity, target: TargetUser): void => {
  const { users } = activity.commerce
  const withRole = (role: unknown): CommerceUser | undefined =>
    users.find((user) => user.isActive && user.roles.some((held) => held.role === role))
  const criteria = target.criteria.toSorted((left, right) => (left.priority ?? 0) - (right.priority ?? 0))
  for (const { type, config } of criteria) {
    // Nobody has been contacted in a sandbox: only roles can match.
    const found = type === 'ROLE_MATCH' ? withRole(config?.['role']) : undefined
    if (found !== undefined) return lock(target, found, 'CRITERIA_MATCH')
  }
  const representative = withRole('COMMERCE_REP')
  if (representative !== undefined) return lock(target, representative, 'FALLBACK_COMMERCE_REP')
  const owner = withRole('OWNER')
  if (owner !== undefined) return lock(target, owner, 'FALLBACK_OWNER')
  target.resolutionStatus = 'FAILED'
}

const lock = (target: TargetUser, user: CommerceUser, reason: string): void => {
  target.commerceUser = user
  target.resolutionStatus = 'LOCKED'
  target.lockReason = reason
}

const unresolved = (activity: Activity): { code: string; message: string } => ({
  code: 'RESOLUTION_FAILED',
  message:
    activity.attributes.find(({ errorMessage }) => errorMessage !== null)?.errorMessage ?? 'no target user was found',
})
