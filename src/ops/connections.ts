// Adding, changing, pausing, resuming and archiving connections, for the admin API and the command alike. Secrets are sealed
// before they are stored and never come out of here.
import type { Config } from '../config.ts'
import type { ConnectionState } from '../connection.ts'
import { AppError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { openSecrets, sealSecrets } from '../secret-box.ts'
import type { Sealed } from '../secret-box.ts'
import type { Db } from '../store/database.ts'
import { setConnectionState } from '../store/set-connection-state.ts'
import { showConnection } from '../store/show-connection.ts'
import type { ShownConnection } from '../store/show-connection.ts'
import { changeConnection, createConnection } from '../store/write-connection.ts'
import type { ConnectionValues, StoredConnection } from '../store/write-connection.ts'
import type { Author } from '../store/write-audit.ts'
import { applyChange, checkDraft, checkName, checkProvider, toDraft } from './connection-input.ts'
import { checkReason } from './reason.ts'
import type { ConnectionChange, ConnectionDraft, ConnectionInput } from './connection-input.ts'

export interface ConnectionDeps {
  readonly db: Db
  readonly config: Pick<Config, 'isProduction' | 'secretsKeys'>
  readonly logger: Logger
  /** Called after every change, so that this process works by it at once; others see it within seconds. */
  refresh(): Promise<void>
  /** The providers that may be chosen; undefined: any, modules by their path included, for whoever has a shell anyway. */
  readonly providers?: readonly string[] | undefined
  /** Asks the adapter whether it could work with this; throws RCV_ADAPTER_UNKNOWN or RCV_ADAPTER_SETTINGS. */
  readonly checkAdapter?: ((draft: ConnectionDraft) => Promise<void>) | undefined
}

/** Adds a connection, or brings an archived one back. Throws RCV_CONNECTION_EXISTS, RCV_REQUEST_INVALID, RCV_SECRETS_KEY_MISSING. */
export async function addConnection(
  deps: ConnectionDeps,
  input: ConnectionInput,
  author: Author,
): Promise<'created' | 'restored'> {
  checkName(input.name)
  const draft = toDraft(input)
  checkProvider(draft.provider, deps.providers)
  checkDraft(draft, deps.config)
  await deps.checkAdapter?.(draft)
  const values = seal(deps, draft, undefined)
  const written = await createConnection(deps.db, { name: input.name, provider: input.provider, ...values }, author)
  if (written === 'exists') throw new AppError('RCV_CONNECTION_EXISTS', `there is a connection ${input.name} already`)
  await announce(deps, `connection.${written}`, input.name, author)
  return written
}

/** Changes a managed connection. Throws RCV_CONNECTION_NOT_FOUND, RCV_CONNECTION_IS_ENVIRONMENT, RCV_REQUEST_INVALID. */
export async function editConnection(
  deps: ConnectionDeps,
  name: string,
  change: ConnectionChange,
  author: Author,
): Promise<void> {
  const written = await changeConnection(deps.db, name, author, async (current) => {
    // Settings alone say nothing of secrets, so those stay sealed: changing settings works without SECRETS_KEY.
    const staysSealed = Object.keys(change).every((key) => key === 'settings')
    const draft = applyChange(toDraftOf(deps, current, staysSealed), change)
    checkDraft(draft, deps.config)
    if (!staysSealed) await deps.checkAdapter?.(draft)
    return { values: seal(deps, draft, staysSealed ? current.secrets : undefined), detail: describeChange(change) }
  })
  if (written === 'not_found') throw notFound(name)
  if (written === 'environment') throw environmentError(name, 'it is changed')
  await announce(deps, 'connection.changed', name, author)
}

/**
 * Stops deliveries of a connection. What Reten dispatches is still received, and what became of earlier deliveries is still
 * reported. Throws RCV_CONNECTION_NOT_FOUND.
 */
export async function pauseConnection(
  deps: ConnectionDeps,
  name: string,
  reason: string,
  author: Author,
): Promise<void> {
  checkReason(reason)
  await setState(deps, { name, to: 'paused', reason, author })
}

/** Lets a paused connection go on, and its reporting; an active one stays as it is. Throws RCV_CONNECTION_NOT_FOUND. */
export async function resumeConnection(deps: ConnectionDeps, name: string, author: Author): Promise<void> {
  await setState(deps, { name, to: 'active', reason: undefined, author })
}

/**
 * Takes a connection out of use: its keys open nothing, its jobs wait. Adding it again resumes the same identity, keys
 * that were not revoked included. Throws RCV_CONNECTION_NOT_FOUND, RCV_CONNECTION_IS_ENVIRONMENT.
 */
export async function archiveConnection(
  deps: ConnectionDeps,
  name: string,
  reason: string | undefined,
  author: Author,
): Promise<void> {
  await setState(deps, { name, to: 'archived', reason, author })
}

/** A connection's row, archived or not. Throws RCV_CONNECTION_NOT_FOUND. */
export async function getConnection(db: Db, name: string): Promise<ShownConnection> {
  const row = await showConnection(db, name)
  if (row === undefined) throw notFound(name)
  return row
}

/** The error for what the environment alone decides. */
export function environmentError(name: string, how: string): AppError {
  return new AppError('RCV_CONNECTION_IS_ENVIRONMENT', `connection ${name} comes from the environment: ${how} there`)
}

async function setState(
  deps: ConnectionDeps,
  change: { name: string; to: ConnectionState; reason: string | undefined; author: Author },
): Promise<void> {
  const done = await setConnectionState(deps.db, change)
  if (done === 'not_found') throw notFound(change.name)
  if (done === 'environment') throw environmentError(change.name, 'it is removed')
  if (done === 'unchanged') return
  const event = { active: 'connection.resumed', paused: 'connection.paused', archived: 'connection.archived' }[
    change.to
  ]
  await announce(deps, event, change.name, change.author)
}

async function announce(deps: ConnectionDeps, event: string, connection: string, author: Author): Promise<void> {
  const { actor, requestId } = author
  deps.logger.info({ event, connection, actor, requestId }, `${event.replace('.', ' ')} by ${actor}`)
  await deps.refresh()
}

/** What the catalog reads back as its ConnectionSecrets. */
interface OpenSecrets {
  readonly retenApiKey: string | undefined
  readonly provider: Readonly<Record<string, string>>
}

const NO_SECRETS: OpenSecrets = { retenApiKey: undefined, provider: {} }

function toDraftOf(deps: ConnectionDeps, current: StoredConnection, staysSealed: boolean): ConnectionDraft {
  const { secrets, ...rest } = current
  const isOpened = secrets !== undefined && !staysSealed
  // Sealed by `seal` from exactly this shape, and authenticated by GCM.
  const opened = isOpened ? (openSecrets(deps.config.secretsKeys, current.name, secrets) as OpenSecrets) : NO_SECRETS
  return { ...rest, retenApiKey: opened.retenApiKey, providerSecrets: opened.provider }
}

/** What is stored of a draft; `untouched` are secrets that stay sealed as they are. */
function seal(deps: ConnectionDeps, draft: ConnectionDraft, untouched: Sealed | undefined): ConnectionValues {
  const { retenBaseUrl, settings, providerSettings } = draft
  const hasSecrets = draft.retenApiKey !== undefined || Object.keys(draft.providerSecrets).length > 0
  const open: OpenSecrets = { retenApiKey: draft.retenApiKey, provider: draft.providerSecrets }
  const secrets = untouched ?? (hasSecrets ? sealSecrets(deps.config.secretsKeys, draft.name, open) : undefined)
  return { retenBaseUrl, settings, providerSettings, secrets }
}

/** Of secrets, the audit log learns only which were touched. */
function describeChange(change: ConnectionChange): Record<string, unknown> {
  const { retenBaseUrl, settings, providerSettings } = change
  const secrets = [
    ...(change.retenApiKey === undefined ? [] : ['retenApiKey']),
    ...Object.keys(change.providerSecrets ?? {}).map((key) => `providerSecrets.${key}`),
  ]
  return { retenBaseUrl, settings, providerSettings, ...(secrets.length === 0 ? {} : { secrets }) }
}

function notFound(name: string): AppError {
  return new AppError('RCV_CONNECTION_NOT_FOUND', `there is no connection ${name}`)
}
