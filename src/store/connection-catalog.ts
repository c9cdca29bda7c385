// What the service knows of its connections, in memory: requests are authenticated and claims are planned without asking the
// database. It is read again every few seconds, at once after a change in this process, and when an unknown key comes.
import { hash } from 'node:crypto'
import type { Config, SecretsKey } from '../config.ts'
import type { Connection } from '../connection.ts'
import { checkSettings, effectiveSettings } from '../connection.ts'
import type { Logger } from '../logger.ts'
import type { Clock } from '../time.ts'
import type { Db } from './database.ts'
import { loadConnections } from './load-connections.ts'
import type { ConnectionRow } from './load-connections.ts'
import { openSecrets } from '../secret-box.ts'

/** The name of the connection that comes from the environment alone. */
export const ENVIRONMENT_CONNECTION = 'default'

export type KeyPurpose = 'dispatch' | 'webhook'

/** A key that fits: whose connection it opens, and its id (`env-1` for keys of the environment). */
export interface KeyMatch {
  readonly connection: Connection
  readonly keyId: string
}

export interface ConnectionCatalog {
  /** Undefined where the name is unknown or archived. */
  get(name: string): Connection | undefined
  /** Every connection that is not archived. */
  list(): readonly Connection[]
  /** The connection a key opens; an unknown key makes the catalog look for new keys, at most once a second. */
  authenticate(key: string, purpose: KeyPurpose): Promise<KeyMatch | undefined>
  /** Reads everything again. Throws PostgreSQL's errors. */
  refresh(): Promise<void>
}

export interface CatalogDeps {
  readonly db: Db
  readonly config: Pick<Config, 'environmentConnection' | 'secretsKeys'>
  readonly clock: Clock
  readonly logger: Logger
}

// A stranger who tries keys costs one reading a second, not one for each try.
const MINIMUM_REFRESH_INTERVAL_MS = 1_000

interface Snapshot {
  readonly connections: ReadonlyMap<string, Connection>
  /** `purpose:digest` → key. Looking a digest up by its value tells an attacker nothing about the key behind it. */
  readonly keys: ReadonlyMap<string, { readonly connection: string; readonly keyId: string }>
}

/** Builds an empty catalog; `refresh` fills it. */
export function createConnectionCatalog(deps: CatalogDeps): ConnectionCatalog {
  const { db, config, clock, logger } = deps
  let snapshot: Snapshot = { connections: new Map(), keys: new Map() }
  let lastRefreshMs = Number.NEGATIVE_INFINITY
  let underWay: Promise<void> | undefined

  const read = async (): Promise<void> => {
    lastRefreshMs = clock.now()
    const { connections, keys } = await loadConnections(db)
    const byName = new Map<string, Connection>()
    for (const row of connections) {
      const connection = buildConnection(row, config, logger)
      if (connection !== undefined) byName.set(row.name, connection)
    }
    const byDigest = new Map(
      keys.map((key) => [`${key.purpose}:${key.digest}`, { connection: key.connection, keyId: key.id }]),
    )
    addEnvironmentKeys(byDigest, config)
    snapshot = { connections: byName, keys: byDigest }
  }

  const refresh = (): Promise<void> => {
    underWay ??= read().finally(() => {
      underWay = undefined
    })
    return underWay
  }

  const find = (slot: string): KeyMatch | undefined => {
    const key = snapshot.keys.get(slot)
    const connection = key === undefined ? undefined : snapshot.connections.get(key.connection)
    if (key === undefined || connection === undefined || connection.state === 'archived') return undefined
    return { connection, keyId: key.keyId }
  }

  return {
    get: (name) => visible(snapshot.connections.get(name)),
    list: () => [...snapshot.connections.values()].filter((connection) => connection.state !== 'archived'),
    authenticate: async (key, purpose) => {
      const slot = `${purpose}:${hash('sha256', key, 'hex')}`
      const known = find(slot)
      if (known !== undefined || clock.now() - lastRefreshMs < MINIMUM_REFRESH_INTERVAL_MS) return known
      await refresh()
      return find(slot)
    },
    refresh,
  }
}

function visible(connection: Connection | undefined): Connection | undefined {
  return connection?.state === 'archived' ? undefined : connection
}

function addEnvironmentKeys(
  keys: Map<string, { connection: string; keyId: string }>,
  config: CatalogDeps['config'],
): void {
  const environment = config.environmentConnection
  if (environment === undefined) return
  for (const [index, key] of environment.dispatchKeys.entries()) {
    const entry = { connection: ENVIRONMENT_CONNECTION, keyId: `env-${index + 1}` }
    keys.set(`dispatch:${hash('sha256', key, 'hex')}`, entry)
  }
  if (environment.webhookToken !== undefined) {
    const entry = { connection: ENVIRONMENT_CONNECTION, keyId: 'env-webhook' }
    keys.set(`webhook:${hash('sha256', environment.webhookToken, 'hex')}`, entry)
  }
}

/** A row that cannot be used (its secrets do not open) is left out and said so, rather than taking all others down. */
function buildConnection(row: ConnectionRow, config: CatalogDeps['config'], logger: Logger): Connection | undefined {
  try {
    const secrets = row.origin === 'environment' ? environmentSecrets(config) : storedSecrets(row, config.secretsKeys)
    return Object.freeze({
      name: row.name,
      provider: row.provider,
      origin: row.origin,
      state: row.state,
      stateReason: row.state_reason ?? undefined,
      retenBaseUrl: row.reten_base_url ?? undefined,
      retenApiKey: secrets.retenApiKey,
      settings: effectiveSettings(checkSettings(row.settings)),
      providerSettings: row.provider_settings,
      providerSecrets: secrets.provider,
      version: row.updated_at.toISOString(),
    })
  } catch (error) {
    logger.error({ event: 'connection.unusable', connection: row.name, err: error }, 'a connection cannot be used')
    return undefined
  }
}

interface ConnectionSecrets {
  readonly retenApiKey: string | undefined
  readonly provider: Readonly<Record<string, string>>
}

function environmentSecrets(config: CatalogDeps['config']): ConnectionSecrets {
  const environment = config.environmentConnection
  return { retenApiKey: environment?.retenApiKey, provider: environment?.providerSecrets ?? {} }
}

function storedSecrets(row: ConnectionRow, keys: readonly SecretsKey[]): ConnectionSecrets {
  if (row.secrets === null || row.secrets_key_id === null) return { retenApiKey: undefined, provider: {} }
  const opened = openSecrets(keys, row.name, { keyId: row.secrets_key_id, bytes: row.secrets })
  // Sealed by writeConnection of this project from exactly this shape, and authenticated by GCM.
  return opened as ConnectionSecrets
}
