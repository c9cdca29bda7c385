// The one connection that can come from the environment alone: DISPATCH_API_KEY and what belongs to it.
import type { Fault } from './errors.ts'
import { compileSchema } from './schemas.ts'
import type { ConnectionSettings, Environment } from './schema-types.ts'

/** The connection that comes from the environment alone. */
export interface EnvironmentConnection {
  readonly dispatchKeys: readonly string[]
  readonly provider: string
  readonly retenBaseUrl: string | undefined
  readonly retenApiKey: string | undefined
  readonly webhookToken: string | undefined
  readonly providerSettings: Readonly<Record<string, unknown>>
  readonly providerSecrets: Readonly<Record<string, string>>
  readonly settings: ConnectionSettings
}

/** Reten's origins by environment name. Source: Reten's documentation, getting started. */
export const RETEN_ORIGINS: Readonly<Record<string, string>> = Object.freeze({
  production: 'https://api.reten.ai',
  staging: 'https://api-staging.reten.ai',
  development: 'https://api-development.reten.ai',
  local: 'http://localhost:3000',
})

// A key that others can guess is no key. 16 characters of a random key are beyond guessing over a network.
const MINIMUM_KEY_LENGTH = 16

/** Nobody sets these for another purpose: without a DISPATCH_API_KEY they would be ignored without a word. */
const NEEDS_DISPATCH_KEY = [
  'RETEN_API_KEY',
  'YOM_API_KEY',
  'YOM_CLIENT_SECRET',
  'WEBHOOK_AUTH_TOKEN',
  'WEBHOOK_TOKEN',
] as const satisfies readonly (keyof Environment)[]

/** Reads the connection, or undefined where there is no DISPATCH_API_KEY; adds what is wrong to `faults`. */
export function readEnvironmentConnection(
  environment: Environment,
  faults: Fault[],
): EnvironmentConnection | undefined {
  const dispatchKeys = (environment.DISPATCH_API_KEY ?? '')
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '')
  if (dispatchKeys.length === 0) {
    const [useless] = NEEDS_DISPATCH_KEY.filter((name) => nonEmpty(environment[name]) !== undefined)
    if (useless !== undefined) faults.push({ path: 'DISPATCH_API_KEY', message: `is required with ${useless}` })
    return undefined
  }
  for (const [index, key] of dispatchKeys.entries()) {
    if (key.length < MINIMUM_KEY_LENGTH) {
      const message = `key ${index + 1} is shorter than ${MINIMUM_KEY_LENGTH} characters`
      faults.push({ path: 'DISPATCH_API_KEY', message })
    }
  }
  const provider = environment.PROVIDER ?? 'yom'
  return {
    dispatchKeys,
    provider,
    retenBaseUrl: readRetenBaseUrl(environment, faults),
    retenApiKey: nonEmpty(environment.RETEN_API_KEY),
    webhookToken: readWebhookToken(environment, faults),
    ...readProvider(provider, environment),
    settings: readSettings(environment, faults),
  }
}

/** Whether results reported to this address change Reten's real data. */
export function isRetenProduction(baseUrl: string | undefined): boolean {
  const production = new URL(RETEN_ORIGINS['production'] ?? '')
  return baseUrl !== undefined && URL.canParse(baseUrl) && new URL(baseUrl).origin === production.origin
}

function readRetenBaseUrl(environment: Environment, faults: Fault[]): string | undefined {
  const named = RETEN_ORIGINS[environment.RETEN_ENVIRONMENT ?? '']
  const given = nonEmpty(environment.RETEN_BASE_URL)
  if (named !== undefined && given !== undefined) {
    faults.push({ path: 'RETEN_BASE_URL', message: 'and RETEN_ENVIRONMENT are both set: keep one' })
  }
  const url = given ?? named
  if (url === undefined) {
    if (nonEmpty(environment.RETEN_API_KEY) !== undefined) {
      faults.push({ path: 'RETEN_ENVIRONMENT', message: 'or RETEN_BASE_URL is required with RETEN_API_KEY' })
    }
    return undefined
  }
  const message = faultOfOrigin(url)
  if (message !== undefined) faults.push({ path: 'RETEN_BASE_URL', message })
  return url.replace(/\/+$/, '')
}

function faultOfOrigin(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) return `is not an http or https address: ${text}`
  if (url.search !== '' || url.hash !== '') return 'is given without a query or a fragment'
  return /\/api\/?$/.test(url.pathname) ? 'is given without /api' : undefined
}

function readWebhookToken(environment: Environment, faults: Fault[]): string | undefined {
  const token = nonEmpty(environment.WEBHOOK_TOKEN)
  if (token !== undefined && token.length < MINIMUM_KEY_LENGTH) {
    faults.push({ path: 'WEBHOOK_TOKEN', message: `is shorter than ${MINIMUM_KEY_LENGTH} characters` })
  }
  return token
}

function readProvider(
  provider: string,
  environment: Environment,
): Pick<EnvironmentConnection, 'providerSettings' | 'providerSecrets'> {
  if (provider === 'yom') {
    return {
      providerSettings: present({
        base_url: environment.YOM_BASE_URL,
        task_path: environment.YOM_TASK_PATH,
        idempotency: environment.YOM_IDEMPOTENCY,
      }),
      providerSecrets: present({
        api_key: environment.YOM_API_KEY,
        client_id: environment.YOM_CLIENT_ID,
        client_secret: environment.YOM_CLIENT_SECRET,
      }),
    }
  }
  if (provider === 'mock') return { providerSettings: {}, providerSecrets: {} }
  return {
    providerSettings: present({ url: environment.WEBHOOK_URL }),
    providerSecrets: present({ auth_token: environment.WEBHOOK_AUTH_TOKEN }),
  }
}

function readSettings(environment: Environment, faults: Fault[]): ConnectionSettings {
  const text = nonEmpty(environment.CONNECTION_SETTINGS)
  if (text === undefined) return {}
  let settings: unknown
  try {
    settings = JSON.parse(text)
  } catch (error) {
    faults.push({ path: 'CONNECTION_SETTINGS', message: `is not JSON: ${error instanceof Error ? error.message : ''}` })
    return {}
  }
  const check = compileSchema<ConnectionSettings>('connection-settings')
  // A check ends at its first fault, so what is at fault is left out and the rest is checked again.
  for (;;) {
    const checked = check(settings)
    if (checked.ok) return checked.value
    for (const fault of checked.faults) {
      faults.push({ path: `CONNECTION_SETTINGS${fault.path}`, message: fault.message })
    }
    const rest = without(
      settings,
      checked.faults.map((fault) => fault.path.split('/')[1]),
    )
    if (rest === undefined) return {}
    settings = rest
  }
}

/** The object without these fields, or undefined where that leaves out nothing. */
function without(value: unknown, names: readonly (string | undefined)[]): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const entries = Object.entries(value)
  const left = entries.filter(([name]) => !names.includes(name))
  return left.length === entries.length ? undefined : Object.fromEntries(left)
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text
}

function present(values: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => nonEmpty(entry[1]) !== undefined),
  )
}
