// Settings: read from what the caller hands over (the environment, a .env file), checked once, all faults at once, frozen.
import { readFileSync } from 'node:fs'
import { envSchema } from 'env-schema'
import { AppError } from './errors.ts'
import type { Fault } from './errors.ts'
import { readSchema } from './schemas.ts'
import type { Environment } from './schema-types.ts'

export type Role = 'all' | 'http' | 'worker'

export interface AdminToken {
  readonly name: string
  readonly role: 'viewer' | 'operator' | 'admin'
  readonly token: string
}

export interface SecretsKey {
  readonly id: string
  /** 32 bytes. */
  readonly key: Buffer
}

/** The connection that comes from the environment alone. */
export interface EnvironmentConnection {
  readonly dispatchKeys: readonly string[]
  readonly provider: string
  readonly retenBaseUrl: string | undefined
  readonly retenApiKey: string | undefined
  readonly webhookToken: string | undefined
  readonly providerSettings: Readonly<Record<string, unknown>>
  readonly providerSecrets: Readonly<Record<string, string>>
  /** Unchecked JSON; the connections' own check names its faults. */
  readonly settings: unknown
}

export interface Config {
  readonly isProduction: boolean
  /** Undefined: the embedded database. */
  readonly databaseUrl: string | undefined
  readonly databaseDirectUrl: string | undefined
  readonly databasePoolSize: number
  readonly host: string
  readonly port: number
  readonly opsHost: string
  readonly opsPort: number
  readonly role: Role
  /** As Fastify takes it: false, a number of hops, or addresses. */
  readonly trustProxy: false | number | string[]
  readonly adminTokens: readonly AdminToken[]
  readonly secretsKeys: readonly SecretsKey[]
  readonly logLevel: string
  readonly rateLimitPerMinute: number
  readonly maxBodyBytes: number
  /** Undefined where no DISPATCH_API_KEY is set. */
  readonly environmentConnection: EnvironmentConnection | undefined
}

export type Variables = Readonly<Record<string, string | undefined>>

/** Settings that may come from a file named by NAME_FILE. */
export const SECRET_NAMES = [
  'DATABASE_URL',
  'DATABASE_DIRECT_URL',
  'ADMIN_TOKEN',
  'SECRETS_KEY',
  'DISPATCH_API_KEY',
  'RETEN_API_KEY',
  'YOM_API_KEY',
  'YOM_CLIENT_SECRET',
  'WEBHOOK_AUTH_TOKEN',
  'WEBHOOK_TOKEN',
] as const

/** Reten's origins by environment name. Source: Reten's documentation, getting started. */
export const RETEN_ORIGINS: Readonly<Record<string, string>> = Object.freeze({
  production: 'https://api.reten.ai',
  staging: 'https://api-staging.reten.ai',
  development: 'https://api-development.reten.ai',
  local: 'http://localhost:3000',
})

// A key that others can guess is no key. 16 characters of a random key are beyond guessing over a network.
const MINIMUM_KEY_LENGTH = 16
const MINIMUM_ADMIN_TOKEN_LENGTH = 32

/** Reads and checks all settings. Throws RCV_CONFIG_INVALID with one entry per wrong setting, named. */
export function loadConfig(variables: Variables): Config {
  const faults: Fault[] = []
  const named = withFiles(variables, faults)
  const environment = readEnvironment(named, faults)
  if (environment === undefined) throw configError(faults)
  const config: Config = {
    isProduction: environment.NODE_ENV === 'production',
    databaseUrl: environment.DATABASE_URL,
    databaseDirectUrl: environment.DATABASE_DIRECT_URL ?? environment.DATABASE_URL,
    databasePoolSize: environment.DATABASE_POOL_SIZE ?? 10,
    host: environment.HOST ?? '0.0.0.0',
    port: environment.PORT ?? 8080,
    opsHost: environment.OPS_HOST ?? '127.0.0.1',
    opsPort: environment.OPS_PORT ?? 9090,
    role: environment.ROLE ?? 'all',
    trustProxy: parseTrustProxy(environment.TRUST_PROXY ?? ''),
    adminTokens: parseAdminTokens(environment.ADMIN_TOKEN ?? '', faults),
    secretsKeys: parseSecretsKeys(environment.SECRETS_KEY ?? '', faults),
    logLevel: environment.LOG_LEVEL ?? 'info',
    rateLimitPerMinute: environment.RATE_LIMIT_PER_MINUTE ?? 1200,
    maxBodyBytes: environment.MAX_BODY_BYTES ?? 1_048_576,
    environmentConnection: parseEnvironmentConnection(environment, faults),
  }
  checkRelations(config, faults)
  if (faults.length > 0) throw configError(faults)
  return Object.freeze(config)
}

/** What may be shown of a configuration: values, and for secrets only whether they are there. */
export function describeConfig(config: Config): Record<string, unknown> {
  return {
    role: config.role,
    database: config.databaseUrl === undefined ? 'embedded' : 'configured',
    listeners: `${config.host}:${config.port} public, ${config.opsHost}:${config.opsPort} operators`,
    adminTokens: config.adminTokens.length,
    secretsKeys: config.secretsKeys.length,
    rateLimitPerMinute: config.rateLimitPerMinute,
    environmentConnection: config.environmentConnection === undefined ? 'none' : config.environmentConnection.provider,
  }
}

function configError(faults: readonly Fault[]): AppError {
  const lines = faults.map((fault) => `  ${fault.path} ${fault.message}`)
  return new AppError('RCV_CONFIG_INVALID', `these settings are wrong:\n${lines.join('\n')}`, { details: faults })
}

function withFiles(variables: Variables, faults: Fault[]): Record<string, string> {
  const named: Record<string, string> = {}
  for (const [name, value] of Object.entries(variables)) if (value !== undefined && value !== '') named[name] = value
  for (const name of SECRET_NAMES) {
    const file = named[`${name}_FILE`]
    if (file === undefined) continue
    if (named[name] !== undefined) {
      faults.push({ path: `${name}_FILE`, message: `and ${name} are both set: keep one` })
      continue
    }
    try {
      named[name] = readFileSync(file, 'utf8').trim()
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      faults.push({ path: `${name}_FILE`, message: `names a file that cannot be read: ${why}` })
    }
  }
  return named
}

function readEnvironment(named: Record<string, string>, faults: Fault[]): Environment | undefined {
  const { $id: _id, $schema: _schema, ...schema } = readSchema('configuration')
  try {
    // env-schema coerces text to the schema's types and collects every fault; defaults come from the schema.
    return envSchema<Environment>({ schema, data: named, env: false })
  } catch (error) {
    const errors: { instancePath: string; message?: string; params?: Record<string, unknown> }[] =
      error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : []
    if (errors.length === 0) throw error
    for (const fault of errors) faults.push({ path: fault.instancePath.slice(1), message: wrongValue(fault) })
    return undefined
  }
}

function wrongValue(fault: { message?: string; params?: Record<string, unknown> }): string {
  const allowed = fault.params?.['allowedValues']
  if (Array.isArray(allowed)) return `must be one of ${allowed.filter((value) => value !== '').join(', ')}`
  if (fault.params?.['pattern'] === '^postgres(ql)?://') return 'must be a postgres:// or postgresql:// address'
  return fault.message ?? 'is wrong'
}

function parseTrustProxy(text: string): Config['trustProxy'] {
  if (text === '' || text === '0' || text === 'off') return false
  if (/^\d+$/.test(text)) return Number(text)
  return text.split(',').map((part) => part.trim())
}

function parseAdminTokens(text: string, faults: Fault[]): AdminToken[] {
  if (text === '') return []
  return text.split(',').map((entry, index) => {
    const [name, role, ...rest] = entry.trim().split(':')
    const isNamed = rest.length > 0 && (role === 'viewer' || role === 'operator' || role === 'admin')
    const parsed: AdminToken = isNamed
      ? { name: name ?? '', role, token: rest.join(':') }
      : { name: 'admin', role: 'admin', token: entry.trim() }
    if (parsed.token.length < MINIMUM_ADMIN_TOKEN_LENGTH) {
      const which = isNamed ? `of ${parsed.name}` : `${index + 1}`
      faults.push({ path: 'ADMIN_TOKEN', message: `${which} is shorter than ${MINIMUM_ADMIN_TOKEN_LENGTH} characters` })
    }
    return parsed
  })
}

function parseSecretsKeys(text: string, faults: Fault[]): SecretsKey[] {
  if (text === '') return []
  const keys = text.split(',').map((entry) => {
    const [id, encoded] = entry.includes(':') ? entry.trim().split(':', 2) : ['k1', entry.trim()]
    const key = Buffer.from(encoded ?? '', 'base64')
    if (key.length !== 32) {
      faults.push({
        path: 'SECRETS_KEY',
        message: `${id} holds ${key.length} bytes instead of 32 (openssl rand -base64 32)`,
      })
    }
    return { id: id ?? '', key }
  })
  if (new Set(keys.map((key) => key.id)).size < keys.length) {
    faults.push({ path: 'SECRETS_KEY', message: 'names two keys alike' })
  }
  return keys
}

function parseEnvironmentConnection(environment: Environment, faults: Fault[]): EnvironmentConnection | undefined {
  const dispatchKeys = (environment.DISPATCH_API_KEY ?? '')
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '')
  if (dispatchKeys.length === 0) return undefined
  for (const [index, key] of dispatchKeys.entries()) {
    if (key.length < MINIMUM_KEY_LENGTH) {
      faults.push({
        path: 'DISPATCH_API_KEY',
        message: `key ${index + 1} is shorter than ${MINIMUM_KEY_LENGTH} characters`,
      })
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
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    faults.push({ path: 'RETEN_BASE_URL', message: `is not an http or https address: ${url}` })
  } else if (/\/api\/?$/.test(url)) {
    faults.push({ path: 'RETEN_BASE_URL', message: 'is given without /api' })
  }
  return url.replace(/\/+$/, '')
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

function readSettings(environment: Environment, faults: Fault[]): unknown {
  const text = nonEmpty(environment.CONNECTION_SETTINGS)
  if (text === undefined) return {}
  try {
    return JSON.parse(text)
  } catch (error) {
    faults.push({ path: 'CONNECTION_SETTINGS', message: `is not JSON: ${error instanceof Error ? error.message : ''}` })
    return {}
  }
}

function checkRelations(config: Config, faults: Fault[]): void {
  if (config.isProduction && config.databaseUrl === undefined) {
    faults.push({ path: 'DATABASE_URL', message: 'is required when NODE_ENV is production' })
  }
  if (config.isProduction && config.environmentConnection?.provider === 'mock') {
    faults.push({ path: 'PROVIDER', message: 'mock is refused when NODE_ENV is production' })
  }
  if (
    config.environmentConnection?.provider === 'mock' &&
    config.environmentConnection.retenBaseUrl === RETEN_ORIGINS['production']
  ) {
    faults.push({ path: 'PROVIDER', message: "mock would report invented results to Reten's production" })
  }
  if (config.port !== 0 && config.port === config.opsPort && config.host === config.opsHost) {
    faults.push({ path: 'OPS_PORT', message: `and PORT are both ${config.port}` })
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text
}

function present(values: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => nonEmpty(entry[1]) !== undefined),
  )
}
