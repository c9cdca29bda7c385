// Settings: read from what the caller hands over (the environment, a .env file), checked once, all faults at once, frozen.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { envSchema } from 'env-schema'
import { isRetenProduction, readEnvironmentConnection } from './environment-connection.ts'
import type { EnvironmentConnection } from './environment-connection.ts'
import { AppError } from './errors.ts'
import type { Fault } from './errors.ts'
import { readSchema } from './schemas.ts'
import type { Environment } from './schema-types.ts'

export type Role = 'all' | 'http' | 'worker'

const ROLES = ['viewer', 'operator', 'admin'] as const

export interface AdminToken {
  readonly name: string
  readonly role: (typeof ROLES)[number]
  readonly token: string
}

export interface SecretsKey {
  readonly id: string
  /** 32 bytes. */
  readonly key: Buffer
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

// Guessed over a network at thousands of tries a second, it still outlasts anybody.
const MINIMUM_ADMIN_TOKEN_LENGTH = 32

/** Reads and checks all settings. Throws RCV_CONFIG_INVALID with one entry per wrong setting, named. */
export function loadConfig(variables: Variables): Config {
  const faults: Fault[] = []
  const environment = readEnvironment(withFiles(variables, faults), faults)
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
    trustProxy: parseTrustProxy(environment.TRUST_PROXY ?? '', faults),
    adminTokens: parseAdminTokens(environment.ADMIN_TOKEN ?? '', faults),
    secretsKeys: parseSecretsKeys(environment.SECRETS_KEY ?? '', faults),
    logLevel: environment.LOG_LEVEL ?? 'info',
    rateLimitPerMinute: environment.RATE_LIMIT_PER_MINUTE ?? 1200,
    maxBodyBytes: environment.MAX_BODY_BYTES ?? 1_048_576,
    environmentConnection: readEnvironmentConnection(environment, faults),
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
      const text = readFileSync(file, 'utf8').trim()
      if (text === '') faults.push({ path: `${name}_FILE`, message: 'names an empty file' })
      else named[name] = text
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      faults.push({ path: `${name}_FILE`, message: `names a file that cannot be read: ${why}` })
    }
  }
  return named
}

/** The settings that fit the schema; the others are named and left out, so that what is left can be checked as well. */
function readEnvironment(named: Record<string, string>, faults: Fault[]): Environment {
  const { $id: _id, $schema: _schema, ...schema } = readSchema('configuration')
  try {
    // env-schema coerces text to the schema's types and collects every fault; defaults come from the schema.
    return envSchema<Environment>({ schema, data: named, env: false })
  } catch (error) {
    const errors: { instancePath: string; message?: string; params?: Record<string, unknown> }[] =
      error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : []
    const wrong = new Set(errors.map((fault) => fault.instancePath.slice(1)))
    const rest = Object.fromEntries(Object.entries(named).filter(([name]) => !wrong.has(name)))
    if (Object.keys(rest).length === Object.keys(named).length) throw error
    for (const fault of errors) faults.push({ path: fault.instancePath.slice(1), message: wrongValue(fault) })
    return readEnvironment(rest, faults)
  }
}

function wrongValue(fault: { message?: string; params?: Record<string, unknown> }): string {
  const allowed = fault.params?.['allowedValues']
  if (Array.isArray(allowed)) return `must be one of ${allowed.filter((value) => value !== '').join(', ')}`
  if (fault.params?.['pattern'] === '^postgres(ql)?://') return 'must be a postgres:// or postgresql:// address'
  return fault.message ?? 'is wrong'
}

function parseTrustProxy(text: string, faults: Fault[]): Config['trustProxy'] {
  if (text === '' || text === '0' || text === 'off') return false
  if (/^\d+$/.test(text)) return Number(text)
  const addresses = text.split(',').map((part) => part.trim())
  for (const address of addresses) {
    if (isAddressRange(address)) continue
    const what =
      address === '' ? 'nothing between two commas' : `${address}, which is neither an address nor a range of addresses`
    faults.push({ path: 'TRUST_PROXY', message: `names ${what}` })
  }
  return addresses
}

function isAddressRange(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true // ranges by name, as proxy-addr has them
  const [address = '', prefix = '0', ...rest] = text.split('/')
  const bits = isIP(address) === 4 ? 32 : 128
  return isIP(address) > 0 && rest.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits
}

function parseAdminTokens(text: string, faults: Fault[]): AdminToken[] {
  if (text === '') return []
  const fault = (message: string): number => faults.push({ path: 'ADMIN_TOKEN', message })
  const tokens = text.split(',').map((entry, index): AdminToken => {
    const [, name, role, token] = /^([\w.@-]+):(viewer|operator|admin):(.+)$/.exec(entry.trim()) ?? []
    const isNamed = name !== undefined && isRole(role) && token !== undefined
    const parsed: AdminToken = isNamed ? { name, role, token } : { name: 'admin', role: 'admin', token: entry.trim() }
    if (!isNamed && parsed.token.includes(':')) {
      fault(`${index + 1} is not written name:role:token with a role of ${ROLES.join(', ')}`)
    } else if (parsed.token.length < MINIMUM_ADMIN_TOKEN_LENGTH) {
      fault(`${isNamed ? `of ${name}` : index + 1} is shorter than ${MINIMUM_ADMIN_TOKEN_LENGTH} characters`)
    }
    return parsed
  })
  for (const [index, one] of tokens.entries()) {
    for (const other of tokens.slice(index + 1)) {
      if (one.name === other.name) fault(`names ${one.name} twice`)
      else if (one.token === other.token) fault(`gives ${one.name} and ${other.name} the same token`)
    }
  }
  return tokens
}

function isRole(text: string | undefined): text is AdminToken['role'] {
  return ROLES.some((role) => role === text)
}

function parseSecretsKeys(text: string, faults: Fault[]): SecretsKey[] {
  if (text === '') return []
  const fault = (message: string): number => faults.push({ path: 'SECRETS_KEY', message })
  const keys = text.split(',').map((entry, index) => {
    const [id, encoded] = entry.includes(':') ? entry.trim().split(':', 2) : ['k1', entry.trim()]
    const key = Buffer.from(encoded ?? '', 'base64')
    const which = entry.includes(':') ? id : `key ${index + 1}`
    // What stands where the id should may be the key itself, and is not repeated.
    if (!/^[\w-]{1,32}$/.test(id ?? '')) {
      fault(`key ${index + 1} is not written keyid:base64 with an id of up to 32 letters, digits, - and _`)
    } else if (!/^[\w+/-]*={0,2}$/.test(encoded ?? '')) {
      fault(`${which} is not base64 (openssl rand -base64 32)`)
    } else if (key.length !== 32) {
      fault(`${which} holds ${key.length} bytes instead of 32 (openssl rand -base64 32)`)
    }
    return { id: id ?? '', key }
  })
  const ids = keys.map((key) => key.id)
  const [twice] = ids.filter((id, index) => ids.indexOf(id) < index)
  if (twice !== undefined) fault(`names ${twice} twice`)
  return keys
}

function checkRelations(config: Config, faults: Fault[]): void {
  const isFaulty = (...names: string[]): boolean => faults.some((fault) => names.includes(fault.path))
  const { environmentConnection: connection } = config
  if (!isFaulty('DATABASE_URL', 'DATABASE_URL_FILE')) checkDatabase(config, faults)
  if (config.isProduction && connection?.provider === 'mock') {
    faults.push({ path: 'PROVIDER', message: 'mock is refused when NODE_ENV is production' })
  }
  if (connection?.provider === 'mock' && isRetenProduction(connection.retenBaseUrl)) {
    faults.push({ path: 'PROVIDER', message: "mock would report invented results to Reten's production" })
  }
  if (
    !isFaulty('PORT', 'OPS_PORT') &&
    config.port !== 0 &&
    config.port === config.opsPort &&
    haveHostInCommon(config)
  ) {
    faults.push({ path: 'OPS_PORT', message: `and PORT are both ${config.port}` })
  }
}

function checkDatabase(config: Config, faults: Fault[]): void {
  if (config.databaseUrl === undefined) {
    if (config.isProduction) faults.push({ path: 'DATABASE_URL', message: 'is required when NODE_ENV is production' })
    else if (config.databaseDirectUrl !== undefined) {
      faults.push({ path: 'DATABASE_URL', message: 'is required with DATABASE_DIRECT_URL' })
    }
  }
  const urls = { DATABASE_URL: config.databaseUrl, DATABASE_DIRECT_URL: config.databaseDirectUrl }
  for (const [path, url] of Object.entries(urls)) {
    if (url === undefined || URL.canParse(url)) continue
    if (path === 'DATABASE_DIRECT_URL' && url === config.databaseUrl) continue // its default, named already
    faults.push({ path, message: 'is no readable address: write / # ? @ of a password as %2F %23 %3F %40' })
  }
}

/** A listener on every address stands in the way of one on any of them. */
function haveHostInCommon({ host, opsHost }: Config): boolean {
  return host === opsHost || [host, opsHost].some((name) => name === '0.0.0.0' || name === '::')
}
