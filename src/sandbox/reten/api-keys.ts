import { createHash } from 'node:crypto'
import type { ApiKey } from './records.ts'
import type { RetenState, Tenant } from './state.ts'

/** What a provider's key needs, and no more. */
export const providerPermissions = ['VIEW_ACTIVITIES', 'SUBMIT_ACTIVITY_RESULT'] as const

/** A key to be made. */
export interface NewApiKey {
  readonly name?: string
  readonly permissions?: readonly string[]
  readonly expiresAt?: string | null
  readonly userId?: string
  /** Chosen instead of drawn, so that it stays the same over restarts. */
  readonly plaintextKey?: string
}

/** The only moment at which the key itself is known. */
export interface CreatedApiKey {
  readonly apiKey: ApiKey
  readonly plaintextKey: string
}

/** Makes a key of the documented shape: `rtn_sk_` and 56 hex digits. */
export const createApiKey = (state: RetenState, tenant: Tenant, input: NewApiKey = {}): CreatedApiKey => {
  const id = state.nextId('api-key')
  const plaintextKey = input.plaintextKey ?? `rtn_sk_${state.random.hex(56, 'api-key', id)}`
  const apiKey: ApiKey = {
    id,
    name: input.name ?? 'task dispatch',
    keyPrefix: plaintextKey.slice(0, 'rtn_sk_'.length + 8),
    hash: hashApiKey(plaintextKey),
    userId: input.userId ?? state.nextId('user'),
    tenantId: tenant.id,
    permissions: input.permissions ?? providerPermissions,
    expiresAt: input.expiresAt ?? null,
    lastUsedAt: null,
    createdAt: state.clock.nowIso(),
    revokedAt: null,
  }
  tenant.apiKeys.set(apiKey.id, apiKey)
  state.keysByHash.set(apiKey.hash, apiKey)
  return { apiKey, plaintextKey }
}

/** The key when it is known, unexpired and unrevoked; notes that it was used. */
export const findUsableKey = (state: RetenState, plaintextKey: string): ApiKey | undefined => {
  const apiKey = state.keysByHash.get(hashApiKey(plaintextKey))
  if (apiKey === undefined || apiKey.revokedAt !== null) return undefined
  if (apiKey.expiresAt !== null && Date.parse(apiKey.expiresAt) <= state.clock.nowMs()) return undefined
  apiKey.lastUsedAt = state.clock.nowIso()
  return apiKey
}

/** Permission names are spelled in both cases in the documentation: compared without regard to it. */
export const holdsPermission = (permissions: readonly string[], wanted: string): boolean =>
  permissions.some((held) => held.toUpperCase() === wanted)

const hashApiKey = (plaintextKey: string): string => createHash('sha256').update(plaintextKey).digest('hex')
