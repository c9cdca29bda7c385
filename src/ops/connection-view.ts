// How operators see connections and keys. Of secrets, only their names.
import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'
import { openSecrets } from '../secret-box.ts'
import type { ShownKey } from '../store/connection-keys.ts'
import { readPausedBy } from '../store/connection-catalog.ts'
import type { ShownConnection } from '../store/show-connection.ts'
import { instant } from './show.ts'

export type ViewConfig = Pick<Config, 'secretsKeys' | 'environmentConnection'>

/** A connection, with the names of the secrets it has. */
export function showConnectionRow(row: ShownConnection, config: ViewConfig) {
  return {
    name: row.name,
    provider: row.provider,
    origin: row.origin,
    state: row.state,
    stateReason: row.state_reason,
    stateChangedAt: instant(row.state_changed_at),
    pausedBy: readPausedBy(row) ?? null,
    nextProbeAt: instant(row.probe_at),
    isOnTrial: row.state === 'active' && row.refusals > 0,
    heldOffUntil: instant(row.held_off_until),
    reporting: {
      state: row.reporting_state,
      reason: row.reporting_reason,
      changedAt: instant(row.reporting_changed_at),
      nextProbeAt: instant(row.reporting_probe_at),
      isOnTrial: row.reporting_state === 'active' && row.reporting_refusals > 0,
      heldOffUntil: instant(row.reporting_held_off_until),
    },
    retenBaseUrl: row.reten_base_url,
    settings: row.settings,
    providerSettings: row.provider_settings,
    secrets: showSecrets(row, config),
    createdAt: instant(row.created_at),
    updatedAt: instant(row.updated_at),
  }
}

/** A key without the key. */
export function showKey(key: ShownKey) {
  return {
    id: key.id,
    connection: key.connection,
    purpose: key.purpose,
    label: key.label,
    isUsable: key.is_usable,
    notBefore: instant(key.not_before),
    notAfter: instant(key.not_after),
    revokedAt: instant(key.revoked_at),
    lastUsedAt: instant(key.last_used_at),
    createdAt: instant(key.created_at),
  }
}

interface ShownSecrets {
  readonly hasRetenApiKey: boolean
  /** Names, never values. */
  readonly provider: readonly string[]
  /** Why the secrets cannot be used; null while they can. */
  readonly fault: string | null
}

function showSecrets(row: ShownConnection, config: ViewConfig): ShownSecrets {
  if (row.origin === 'environment') {
    const { retenApiKey, providerSecrets } = config.environmentConnection ?? {}
    return { hasRetenApiKey: retenApiKey !== undefined, provider: Object.keys(providerSecrets ?? {}), fault: null }
  }
  if (row.secrets === null || row.secrets_key_id === null) return { hasRetenApiKey: false, provider: [], fault: null }
  try {
    const sealed = { bytes: row.secrets, keyId: row.secrets_key_id }
    // Sealed by this folder in this shape, and authenticated by GCM.
    const opened = openSecrets(config.secretsKeys, row.name, sealed) as { retenApiKey?: string; provider: object }
    return { hasRetenApiKey: opened.retenApiKey !== undefined, provider: Object.keys(opened.provider), fault: null }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { hasRetenApiKey: false, provider: [], fault: error.message }
  }
}
