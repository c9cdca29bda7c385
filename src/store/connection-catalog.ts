// What the service knows of its connections, in memory: requests are authenticated and claims are planned without asking the
// database. It is read again every few seconds, at once after a change in this process, and when a key comes that was stored
// meanwhile: who is given a key must not be refused because we looked a moment too early.
import { hash } from 'node:crypto'
import type { Config, SecretsKey } from '../config.ts'
import type { Connection } from '../connection.ts'
import { checkSettings, effectiveSettings, understoodSettings } from '../connection.ts'
import type { Logger } from '../logger.ts'
import type { Db } from './database.ts'
import { createKeyLookup } from './key-lookup.ts'
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
  /** The connection a key opens, a key stored a moment ago included. Throws PostgreSQL's errors where a key is not known. */
  authenticate(key: string, purpose: KeyPurpose): Promise<KeyMatch | undefined>
  /** One sentence that names the connections that cannot deliver or report, or undefined. */
  fault(): string | undefined
  /** Shows whatever was committed before it was called. Throws PostgreSQL's errors; what was known stays known then. */
  refresh(): Promise<void>
}

export interface CatalogDeps {
  readonly db: Db
  readonly config: Pick<Config, 'environmentConnection' | 'secretsKeys'>
  readonly logger: Logger
}

interface Snapshot {
  readonly connections: ReadonlyMap<string, Connection>
  /** `purpose:digest` → key. Looking a digest up by its value tells an attacker nothing about the key behind it. */
  readonly keys: ReadonlyMap<string, { readonly connection: string; readonly keyId: string }>
}

/** Builds an empty catalog; `refresh` fills it. */
export function createConnectionCatalog(deps: CatalogDeps): ConnectionCatalog {
  const { db, config, logger } = deps
  const isStored = createKeyLookup(db)
  let snapshot: Snapshot = { connections: new Map(), keys: new Map() }
  let underWay: Promise<void> | undefined
  let next: Promise<void> | undefined

  // Said once, and again when it changes: the catalog is read every few seconds.
  const told = new Map<string, string>()
  const tellFault = ({ name, state, fault }: Connection): void => {
    if (fault === undefined || state === 'archived') {
      told.delete(name)
      return
    }
    if (told.get(name) === fault) return
    told.set(name, fault)
    const message = `${name} receives, but cannot deliver or report: ${fault}`
    logger.error({ event: 'connection.unusable', connection: name }, message)
  }

  const read = async (): Promise<void> => {
    const { connections, keys } = await loadConnections(db)
    const byName = new Map<string, Connection>()
    for (const row of connections) {
      const connection = buildConnection(row, config)
      byName.set(row.name, connection)
      tellFault(connection)
    }
    const byDigest = new Map(
      keys.map((key) => [`${key.purpose}:${key.digest}`, { connection: key.connection, keyId: key.id }]),
    )
    addEnvironmentKeys(byDigest, config)
    snapshot = { connections: byName, keys: byDigest }
  }

  // A reading under way may have begun before what the caller means was written: all who ask meanwhile share the next one.
  const refresh = (): Promise<void> => {
    if (underWay === undefined) {
      underWay = read().finally(() => {
        underWay = undefined
      })
      return underWay
    }
    next ??= underWay.then(ignore, ignore).then(() => {
      next = undefined
      return refresh()
    })
    return next
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
      const digest = hash('sha256', key, 'hex')
      const slot = `${purpose}:${digest}`
      const known = find(slot)
      if (known !== undefined || !(await isStored(purpose, digest))) return known
      await refresh()
      return find(slot)
    },
    fault: () => {
      const faults = [...snapshot.connections.values()].flatMap((connection) =>
        connection.state === 'archived' ? [] : faultsOf(connection).map((fault) => `${connection.name}: ${fault}`),
      )
      return faults.length === 0 ? undefined : faults.join('; ')
    },
    refresh,
  }
}

function ignore(): void {}

/** An operator's pause is no fault; one of the service is. */
function faultsOf({ fault, pausedBy, stateReason, reporting }: Connection): readonly string[] {
  return [
    ...(fault === undefined ? [] : [fault]),
    ...(pausedBy === 'service' ? [`deliveries are paused: ${stateReason}`] : []),
    ...(reporting.state === 'paused' ? [`reporting is paused: ${reporting.reason}`] : []),
  ]
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

/**
 * A connection whose secrets do not open, or whose settings a newer release wrote, still receives: that needs neither, and a
 * refusal would lose what Reten pushes. It delivers and reports nothing until its fault is mended.
 */
export function buildConnection(row: ConnectionRow, config: CatalogDeps['config']): Connection {
  const secrets = attempt(() =>
    row.origin === 'environment' ? environmentSecrets(config) : storedSecrets(row, config.secretsKeys),
  )
  const settings = attempt(() => checkSettings(row.settings))
  return Object.freeze({
    name: row.name,
    provider: row.provider,
    origin: row.origin,
    state: row.state,
    stateReason: row.state_reason ?? undefined,
    pausedBy: readPausedBy(row),
    isOnTrial: row.state === 'active' && row.refusals > 0,
    reporting: {
      state: row.reporting_state,
      reason: row.reporting_reason ?? undefined,
      isOnTrial: row.reporting_state === 'active' && row.reporting_refusals > 0,
    },
    retenBaseUrl: row.reten_base_url ?? undefined,
    retenApiKey: secrets.value?.retenApiKey,
    settings: effectiveSettings(settings.value ?? understoodSettings(row.settings)),
    createdAt: row.created_at,
    providerSettings: row.provider_settings,
    providerSecrets: secrets.value?.provider ?? {},
    fault: secrets.fault ?? settings.fault,
    version: row.updated_at.toISOString(),
  })
}

/** Whether a pause is the service's own: it alone says when it tries the key again. */
export function readPausedBy(row: Pick<ConnectionRow, 'state' | 'probe_at'>): Connection['pausedBy'] {
  if (row.state !== 'paused') return undefined
  return row.probe_at === null ? 'operator' : 'service'
}

function attempt<T>(read: () => T): { readonly value?: T; readonly fault?: string } {
  try {
    return { value: read() }
  } catch (error) {
    return { fault: error instanceof Error ? error.message : 'a fault without a name' }
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
