// What may be entered about a connection, and the rules it must keep. Nothing is repaired; each refusal names the field.
import type { Config } from '../config.ts'
import { isRetenProduction } from '../environment-connection.ts'
import { checkSettings } from '../connection.ts'
import { AppError } from '../errors.ts'
import { ENVIRONMENT_CONNECTION } from '../store/connection-catalog.ts'

/** A connection to add, in the names its answers use; the names within `settings` are those of connection-settings.json. */
export interface ConnectionInput {
  readonly name: string
  readonly provider: string
  readonly retenBaseUrl?: string | undefined
  readonly retenApiKey?: string | undefined
  readonly settings?: Readonly<Record<string, unknown>> | undefined
  readonly providerSettings?: Readonly<Record<string, unknown>> | undefined
  readonly providerSecrets?: Readonly<Record<string, string>> | undefined
}

/** A change: what is absent stays, null removes. In the three records each key stands for itself. */
export interface ConnectionChange {
  readonly retenBaseUrl?: string | null | undefined
  readonly retenApiKey?: string | null | undefined
  readonly settings?: Readonly<Record<string, unknown>> | undefined
  readonly providerSettings?: Readonly<Record<string, unknown>> | undefined
  readonly providerSecrets?: Readonly<Record<string, string | null>> | undefined
}

/** A connection as it would stand, secrets in the open: what the rules are about. */
export interface ConnectionDraft {
  readonly name: string
  readonly provider: string
  readonly retenBaseUrl: string | undefined
  readonly retenApiKey: string | undefined
  readonly settings: Readonly<Record<string, unknown>>
  readonly providerSettings: Readonly<Record<string, unknown>>
  readonly providerSecrets: Readonly<Record<string, string>>
}

/** The adapters that come with the service. Any other provider names a module, which runs with all rights of the process. */
export const BUILT_IN_PROVIDERS: readonly string[] = Object.freeze(['yom', 'webhook', 'mock'])

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/

/** Throws RCV_REQUEST_INVALID where `name` cannot be a connection's, RCV_CONNECTION_IS_ENVIRONMENT where it is reserved. */
export function checkName(name: string): void {
  if (!NAME.test(name)) {
    throw wrong('/name', `must be 1 to 63 of a-z, 0-9, "_" and "-", and start with a letter or digit: ${name}`)
  }
  if (name === ENVIRONMENT_CONNECTION) {
    const message = `${name} is the name of the connection that comes from the environment: choose another`
    throw new AppError('RCV_CONNECTION_IS_ENVIRONMENT', message)
  }
}

/** Throws RCV_REQUEST_INVALID where `allowed` lists providers and not this one. */
export function checkProvider(provider: string, allowed: readonly string[] | undefined): void {
  if (allowed === undefined || allowed.includes(provider)) return
  throw wrong('/provider', `must be one of ${allowed.join(', ')}; a module is named with "npm run connections"`)
}

/** A draft of a connection to add. */
export function toDraft(input: ConnectionInput): ConnectionDraft {
  return {
    name: input.name,
    provider: input.provider,
    retenBaseUrl: input.retenBaseUrl?.replace(/\/+$/, ''),
    retenApiKey: input.retenApiKey,
    settings: input.settings ?? {},
    providerSettings: input.providerSettings ?? {},
    providerSecrets: input.providerSecrets ?? {},
  }
}

/** `current` with a change applied. */
export function applyChange(current: ConnectionDraft, change: ConnectionChange): ConnectionDraft {
  return {
    name: current.name,
    provider: current.provider,
    retenBaseUrl: replaced(current.retenBaseUrl, change.retenBaseUrl)?.replace(/\/+$/, ''),
    retenApiKey: replaced(current.retenApiKey, change.retenApiKey),
    settings: merged(current.settings, change.settings),
    providerSettings: merged(current.providerSettings, change.providerSettings),
    providerSecrets: merged(current.providerSecrets, change.providerSecrets),
  }
}

/** Throws RCV_REQUEST_INVALID for the first rule a draft breaks. */
export function checkDraft(draft: ConnectionDraft, config: Pick<Config, 'isProduction'>): void {
  checkDraftSettings(draft.settings)
  if (draft.retenBaseUrl !== undefined) checkRetenBaseUrl(draft.retenBaseUrl)
  if (draft.retenApiKey !== undefined && draft.retenBaseUrl === undefined) {
    throw wrong('/retenBaseUrl', 'is required with a Reten API key')
  }
  if (draft.provider !== 'mock') return
  if (config.isProduction) throw wrong('/provider', 'mock is refused when NODE_ENV is production')
  if (isRetenProduction(draft.retenBaseUrl)) {
    throw wrong('/provider', "mock would report invented results to Reten's production")
  }
}

/** The same refusal, with the path the field has in what was entered. */
function checkDraftSettings(settings: ConnectionDraft['settings']): void {
  try {
    checkSettings(settings)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const details = error.details?.map((fault) => ({ ...fault, path: `/settings${fault.path}` }))
    throw new AppError(error.code, error.message, { details, cause: error })
  }
}

function checkRetenBaseUrl(url: string): void {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw wrong('/retenBaseUrl', `is not an http or https address: ${url}`)
  }
  if (url.endsWith('/api')) throw wrong('/retenBaseUrl', 'is given without /api')
}

function replaced(current: string | undefined, next: string | null | undefined): string | undefined {
  if (next === undefined) return current
  return next ?? undefined
}

function merged<T>(
  current: Readonly<Record<string, T>>,
  change: Readonly<Record<string, T | null>> | undefined,
): Record<string, T> {
  const entries = Object.entries({ ...current, ...change })
  return Object.fromEntries(entries.filter((entry): entry is [string, T & ({} | undefined)] => entry[1] !== null))
}

function wrong(path: string, message: string): AppError {
  return new AppError('RCV_REQUEST_INVALID', `${path.slice(1)} ${message}`, { details: [{ path, message }] })
}
