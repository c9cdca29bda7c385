import { signToken } from '../tokens.ts'
import type { RetenState, Tenant } from './state.ts'

/** Reten's roles, high to low. */
export const roles = ['SUPER_ADMIN', 'ADMIN', 'FDE', 'VIEWER'] as const

/** One of the roles. */
export type Role = (typeof roles)[number]

/** Somebody who logs in to Reten. */
export interface User {
  readonly id: string
  readonly role: Role
  readonly tenantIds: readonly string[]
}

const TOKEN_LIFETIME_SECONDS = 86_400

// A higher role inherits the lower ones. Documented are VIEW_ACTIVITIES, CREATE_ACTIVITY, CANCEL_ACTIVITY and that ADMIN
// manages API keys; where the others belong is an assumption.
const ownPermissions: Readonly<Record<Role, readonly string[]>> = {
  SUPER_ADMIN: [],
  ADMIN: [
    'CANCEL_ACTIVITY',
    'MANAGE_ACTIVITY_CONFIG',
    'MANAGE_API_KEYS',
    'SUBMIT_ACTIVITY_RESULT',
    'SYNC_COMMERCES',
    'MANAGE_OPERATORS',
    'MANAGE_ROUTES',
  ],
  FDE: ['CREATE_ACTIVITY', 'DISPATCH_ACTIVITY'],
  VIEWER: ['VIEW_ACTIVITIES'],
}

/** All that a role may do. */
export const permissionsOf = (role: Role): readonly string[] =>
  roles.slice(roles.indexOf(role)).flatMap((lower) => ownPermissions[lower])

/** Makes a user of one tenant. */
export const addUser = (state: RetenState, tenant: Tenant, role: Role): User => {
  const user: User = { id: state.nextId('user'), role, tenantIds: [tenant.id] }
  state.users.set(user.id, user)
  return user
}

/** A bearer token for a user, good for a day of sandbox time. How users log in at Reten is not part of this stand-in. */
export const issueToken = (state: RetenState, user: User): string => {
  const nowSeconds = Math.floor(state.clock.nowMs() / 1000)
  return signToken(
    { sub: user.id, role: user.role, iat: nowSeconds, exp: nowSeconds + TOKEN_LIFETIME_SECONDS },
    state.tokenSecret,
  )
}
