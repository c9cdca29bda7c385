import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { describeConfig, loadConfig, SECRET_NAMES } from '../src/config.ts'
import type { Variables } from '../src/config.ts'
import { AppError } from '../src/errors.ts'

const KEY = 'dispatch-key-0123456789'
const TOKEN = 'a-token-of-at-least-32-characters-0'
const SECRETS_KEY = Buffer.alloc(32, 7).toString('base64')
const DATABASE_URL = 'postgres://user:pass@db.example:5432/dispatch'

/** The faults of a configuration, one line each; none where it is fine. */
function faultsOf(variables: Variables): string[] {
  try {
    loadConfig(variables)
    return []
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const lines = (error.details ?? []).map((fault) => `${fault.path} ${fault.message}`)
    if (error.message !== ['these settings are wrong:', ...lines.map((line) => `  ${line}`)].join('\n')) throw error
    return lines
  }
}

async function fileWith(t: Test, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'config-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'secret')
  await writeFile(path, text)
  return path
}

void t.test('loadConfig', async (t) => {
  await t.test('needs nothing: every setting has its default', async (t) => {
    t.same(loadConfig({}), {
      isProduction: false,
      databaseUrl: undefined,
      databaseDirectUrl: undefined,
      databasePoolSize: 10,
      host: '0.0.0.0',
      port: 8080,
      opsHost: '127.0.0.1',
      opsPort: 9090,
      role: 'all',
      trustProxy: false,
      adminTokens: [],
      secretsKeys: [],
      logLevel: 'info',
      rateLimitPerMinute: 1200,
      maxBodyBytes: 1_048_576,
      environmentConnection: undefined,
    })
    t.ok(Object.isFrozen(loadConfig({})))
  })

  await t.test('reads every setting of the service', async (t) => {
    const config = loadConfig({
      NODE_ENV: 'production',
      DATABASE_URL,
      DATABASE_DIRECT_URL: 'postgresql://direct.example/dispatch',
      DATABASE_POOL_SIZE: '20',
      HOST: '::',
      PORT: '80',
      OPS_HOST: '::1',
      OPS_PORT: '81',
      ROLE: 'http',
      TRUST_PROXY: '2',
      ADMIN_TOKEN: `ada:admin:${TOKEN}`,
      SECRETS_KEY: `new:${SECRETS_KEY},old:${Buffer.alloc(32, 8).toString('base64')}`,
      LOG_LEVEL: 'debug',
      RATE_LIMIT_PER_MINUTE: '0',
      MAX_BODY_BYTES: '2048',
    })

    t.match(config, {
      isProduction: true,
      databaseUrl: DATABASE_URL,
      databaseDirectUrl: 'postgresql://direct.example/dispatch',
      databasePoolSize: 20,
      host: '::',
      port: 80,
      opsHost: '::1',
      opsPort: 81,
      role: 'http',
      trustProxy: 2,
      adminTokens: [{ name: 'ada', role: 'admin', token: TOKEN }],
      logLevel: 'debug',
      rateLimitPerMinute: 0,
      maxBodyBytes: 2048,
    })
    t.same(
      config.secretsKeys.map(({ id, key }) => [id, key.length, key[0]]),
      [
        ['new', 32, 7],
        ['old', 32, 8],
      ],
    )
  })

  await t.test('takes an empty value for none', async (t) => {
    t.same(loadConfig({ PORT: '', DATABASE_URL: '', ADMIN_TOKEN: '', ROLE: '', DISPATCH_API_KEY: '' }), loadConfig({}))
  })

  await t.test('reads who stands in front', async (t) => {
    const readings: Readonly<Record<string, unknown>> = {
      off: false,
      '0': false,
      '1': 1,
      '10.0.0.1, fd00::/8,loopback': ['10.0.0.1', 'fd00::/8', 'loopback'],
    }

    for (const [text, trustProxy] of Object.entries(readings)) {
      t.same(loadConfig({ TRUST_PROXY: text }).trustProxy, trustProxy, text)
    }
  })

  await t.test('reads one admin token, or several by name and role', async (t) => {
    t.same(loadConfig({ ADMIN_TOKEN: TOKEN }).adminTokens, [{ name: 'admin', role: 'admin', token: TOKEN }])
    t.same(loadConfig({ ADMIN_TOKEN: `vera:viewer:${TOKEN}1, otto:operator:${TOKEN}:2` }).adminTokens, [
      { name: 'vera', role: 'viewer', token: `${TOKEN}1` },
      { name: 'otto', role: 'operator', token: `${TOKEN}:2` },
    ])
  })

  await t.test("reads the environment's connection with its provider's settings", async (t) => {
    const shared = { DISPATCH_API_KEY: ` ${KEY}-1 ,${KEY}-2,`, RETEN_API_KEY: 'rtn_sk_x', RETEN_ENVIRONMENT: 'staging' }

    t.same(
      loadConfig({
        ...shared,
        YOM_BASE_URL: 'https://yom.example',
        YOM_API_KEY: 'yk',
        YOM_TASK_PATH: '/tasks',
        YOM_IDEMPOTENCY: 'lookup',
        WEBHOOK_TOKEN: 'a-webhook-token-0123',
        CONNECTION_SETTINGS: '{"max_in_flight":8}',
      }).environmentConnection,
      {
        dispatchKeys: [`${KEY}-1`, `${KEY}-2`],
        provider: 'yom',
        retenBaseUrl: 'https://api-staging.reten.ai',
        retenApiKey: 'rtn_sk_x',
        webhookToken: 'a-webhook-token-0123',
        providerSettings: { base_url: 'https://yom.example', task_path: '/tasks', idempotency: 'lookup' },
        providerSecrets: { api_key: 'yk' },
        settings: { max_in_flight: 8 },
      },
    )
    t.match(
      loadConfig({ ...shared, PROVIDER: 'webhook', WEBHOOK_URL: 'https://hook.example', WEBHOOK_AUTH_TOKEN: 'bearer' }),
      {
        environmentConnection: {
          provider: 'webhook',
          providerSettings: { url: 'https://hook.example' },
          providerSecrets: { auth_token: 'bearer' },
        },
      },
    )
    t.match(loadConfig({ DISPATCH_API_KEY: KEY, PROVIDER: 'mock' }).environmentConnection, {
      provider: 'mock',
      retenBaseUrl: undefined,
      providerSettings: {},
      providerSecrets: {},
    })
  })

  await t.test("knows Reten's origins, and drops a slash behind a given one", async (t) => {
    const origins = {
      production: 'https://api.reten.ai',
      staging: 'https://api-staging.reten.ai',
      development: 'https://api-development.reten.ai',
      local: 'http://localhost:3000',
    }
    const urlOf = (variables: Variables) =>
      loadConfig({ DISPATCH_API_KEY: KEY, ...variables }).environmentConnection?.retenBaseUrl

    for (const [name, url] of Object.entries(origins)) t.equal(urlOf({ RETEN_ENVIRONMENT: name }), url)
    t.equal(urlOf({ RETEN_BASE_URL: 'https://proxy.example/reten//' }), 'https://proxy.example/reten')
  })
})

void t.test('a wrong setting', async (t) => {
  const production = { NODE_ENV: 'production', DATABASE_URL }
  const connection = { DISPATCH_API_KEY: KEY }
  const wrong: readonly (readonly [Variables, string])[] = [
    [{ DATABASE_URL: 'mysql://x' }, 'DATABASE_URL must be a postgres:// or postgresql:// address'],
    [{ DATABASE_DIRECT_URL: 'x', DATABASE_URL }, 'DATABASE_DIRECT_URL must be a postgres:// or postgresql:// address'],
    [
      { DATABASE_URL: 'postgres://u:se/cret@h/db' },
      'DATABASE_URL is no readable address: write / # ? @ of a password as %2F %23 %3F %40',
    ],
    [
      { DATABASE_URL: 'postgres://u:p@h:99999/db' },
      'DATABASE_URL is no readable address: write / # ? @ of a password as %2F %23 %3F %40',
    ],
    [{ DATABASE_DIRECT_URL: DATABASE_URL }, 'DATABASE_URL is required with DATABASE_DIRECT_URL'],
    [{ DATABASE_POOL_SIZE: '1' }, 'DATABASE_POOL_SIZE must be >= 2'],
    [{ DATABASE_POOL_SIZE: '201' }, 'DATABASE_POOL_SIZE must be <= 200'],
    [{ PORT: 'http' }, 'PORT must be integer'],
    [{ PORT: '65536' }, 'PORT must be <= 65535'],
    [{ OPS_PORT: '-1' }, 'OPS_PORT must be >= 0'],
    [{ OPS_PORT: '8080', OPS_HOST: '0.0.0.0' }, 'OPS_PORT and PORT are both 8080'],
    [{ OPS_PORT: '8080' }, 'OPS_PORT and PORT are both 8080'],
    [{ OPS_PORT: '8080', HOST: '10.0.0.1', OPS_HOST: '::' }, 'OPS_PORT and PORT are both 8080'],
    [{ ROLE: 'both' }, 'ROLE must be one of all, http, worker'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent'],
    [{ RATE_LIMIT_PER_MINUTE: '-1' }, 'RATE_LIMIT_PER_MINUTE must be >= 0'],
    [{ MAX_BODY_BYTES: '1023' }, 'MAX_BODY_BYTES must be >= 1024'],
    [{ MAX_BODY_BYTES: '16777217' }, 'MAX_BODY_BYTES must be <= 16777216'],
    [{ TRUST_PROXY: 'true' }, 'TRUST_PROXY names true, which is neither an address nor a range of addresses'],
    [
      { TRUST_PROXY: '10.0.0.1,10.0.0.0/33' },
      'TRUST_PROXY names 10.0.0.0/33, which is neither an address nor a range of addresses',
    ],
    [
      { TRUST_PROXY: 'fd00::/129' },
      'TRUST_PROXY names fd00::/129, which is neither an address nor a range of addresses',
    ],
    [{ TRUST_PROXY: '10.0.0.1,' }, 'TRUST_PROXY names nothing between two commas'],
    [{ ADMIN_TOKEN: 'short' }, 'ADMIN_TOKEN 1 is shorter than 32 characters'],
    [{ ADMIN_TOKEN: 'vera:viewer:short' }, 'ADMIN_TOKEN of vera is shorter than 32 characters'],
    [
      { ADMIN_TOKEN: `eve:root:${TOKEN}` },
      'ADMIN_TOKEN 1 is not written name:role:token with a role of viewer, operator, admin',
    ],
    [
      { ADMIN_TOKEN: `${TOKEN}:` },
      'ADMIN_TOKEN 1 is not written name:role:token with a role of viewer, operator, admin',
    ],
    [
      { ADMIN_TOKEN: `:admin:${TOKEN}` },
      'ADMIN_TOKEN 1 is not written name:role:token with a role of viewer, operator, admin',
    ],
    [{ ADMIN_TOKEN: `ada:admin:${TOKEN}1,ada:viewer:${TOKEN}2` }, 'ADMIN_TOKEN names ada twice'],
    [{ ADMIN_TOKEN: `ada:admin:${TOKEN},eve:viewer:${TOKEN}` }, 'ADMIN_TOKEN gives ada and eve the same token'],
    [{ SECRETS_KEY: 'c2hvcnQ=' }, 'SECRETS_KEY key 1 holds 5 bytes instead of 32 (openssl rand -base64 32)'],
    [
      { SECRETS_KEY: `k1:${SECRETS_KEY},k2:${Buffer.alloc(33).toString('base64')}` },
      'SECRETS_KEY k2 holds 33 bytes instead of 32 (openssl rand -base64 32)',
    ],
    [{ SECRETS_KEY: `${SECRETS_KEY}${SECRETS_KEY}` }, 'SECRETS_KEY key 1 is not base64 (openssl rand -base64 32)'],
    [{ SECRETS_KEY: `k1:${SECRETS_KEY},k1:${SECRETS_KEY}` }, 'SECRETS_KEY names k1 twice'],
    [
      { SECRETS_KEY: `${SECRETS_KEY}:k1` },
      'SECRETS_KEY key 1 is not written keyid:base64 with an id of up to 32 letters, digits, - and _',
    ],
    [
      { SECRETS_KEY: `:${SECRETS_KEY}` },
      'SECRETS_KEY key 1 is not written keyid:base64 with an id of up to 32 letters, digits, - and _',
    ],
    [{ NODE_ENV: 'production' }, 'DATABASE_URL is required when NODE_ENV is production'],
    [
      { ...production, DISPATCH_API_KEY: KEY, PROVIDER: 'mock' },
      'PROVIDER mock is refused when NODE_ENV is production',
    ],
    [
      { ...connection, PROVIDER: 'mock', RETEN_ENVIRONMENT: 'production' },
      "PROVIDER mock would report invented results to Reten's production",
    ],
    [
      { ...connection, PROVIDER: 'mock', RETEN_BASE_URL: 'https://api.reten.ai/' },
      "PROVIDER mock would report invented results to Reten's production",
    ],
    [
      { ...connection, PROVIDER: 'mock', RETEN_BASE_URL: 'https://API.reten.ai:443' },
      "PROVIDER mock would report invented results to Reten's production",
    ],
    [{ DISPATCH_API_KEY: `${KEY},short` }, 'DISPATCH_API_KEY key 2 is shorter than 16 characters'],
    [{ ...connection, WEBHOOK_TOKEN: 'short' }, 'WEBHOOK_TOKEN is shorter than 16 characters'],
    [{ RETEN_API_KEY: 'rtn_sk_x', RETEN_ENVIRONMENT: 'local' }, 'DISPATCH_API_KEY is required with RETEN_API_KEY'],
    [{ YOM_API_KEY: 'y' }, 'DISPATCH_API_KEY is required with YOM_API_KEY'],
    [{ WEBHOOK_TOKEN: 'a-webhook-token-0123' }, 'DISPATCH_API_KEY is required with WEBHOOK_TOKEN'],
    [
      { ...connection, RETEN_API_KEY: 'rtn_sk_x' },
      'RETEN_ENVIRONMENT or RETEN_BASE_URL is required with RETEN_API_KEY',
    ],
    [
      { ...connection, RETEN_ENVIRONMENT: 'moon' },
      'RETEN_ENVIRONMENT must be one of production, staging, development, local',
    ],
    [
      { ...connection, RETEN_ENVIRONMENT: 'local', RETEN_BASE_URL: 'http://x' },
      'RETEN_BASE_URL and RETEN_ENVIRONMENT are both set: keep one',
    ],
    [{ ...connection, RETEN_BASE_URL: 'api.reten.ai' }, 'RETEN_BASE_URL is not an http or https address: api.reten.ai'],
    [
      { ...connection, RETEN_BASE_URL: 'ftp://api.reten.ai' },
      'RETEN_BASE_URL is not an http or https address: ftp://api.reten.ai',
    ],
    [{ ...connection, RETEN_BASE_URL: 'https://api.reten.ai/api/' }, 'RETEN_BASE_URL is given without /api'],
    [
      { ...connection, RETEN_BASE_URL: 'https://api.reten.ai?x=1' },
      'RETEN_BASE_URL is given without a query or a fragment',
    ],
    [{ ...connection, YOM_IDEMPOTENCY: 'maybe' }, 'YOM_IDEMPOTENCY must be one of key, lookup, none'],
    [{ ...connection, CONNECTION_SETTINGS: '[]' }, 'CONNECTION_SETTINGS must be an object'],
    [{ ...connection, CONNECTION_SETTINGS: '{"max_in_flight":0}' }, 'CONNECTION_SETTINGS/max_in_flight must be >= 1'],
    [{ ...connection, CONNECTION_SETTINGS: '{"chanels":[]}' }, 'CONNECTION_SETTINGS/chanels is not known'],
    [
      { ...connection, CONNECTION_SETTINGS: '{"field_paths":{"type":"x"}}' },
      'CONNECTION_SETTINGS/field_paths/type must match pattern "^(/([^/~]|~[01])*)+$"',
    ],
  ]
  await t.test('is named with what is wrong about it', async (t) => {
    for (const [variables, fault] of wrong) t.same(faultsOf(variables), [fault], fault)
  })

  await t.test('is named where it is no JSON', async (t) => {
    t.match(faultsOf({ ...connection, CONNECTION_SETTINGS: '{' }), [/^CONNECTION_SETTINGS is not JSON: /])
  })

  await t.test('is named with all others of the connection', async (t) => {
    const CONNECTION_SETTINGS = '{"max_in_flight":0,"chanels":[],"ordering":"age","rate_per_second":2}'
    t.same(faultsOf({ ...connection, CONNECTION_SETTINGS }).toSorted(), [
      'CONNECTION_SETTINGS/chanels is not known',
      'CONNECTION_SETTINGS/max_in_flight must be >= 1',
      'CONNECTION_SETTINGS/ordering must be one of none, commerce',
    ])
  })

  await t.test('is named with all others at once', async (t) => {
    const faults = faultsOf({
      NODE_ENV: 'production',
      PORT: 'http',
      ROLE: 'both',
      LOG_LEVEL: 'loud',
      TRUST_PROXY: 'true',
      ADMIN_TOKEN: 'short',
      SECRETS_KEY: 'c2hvcnQ=',
      DISPATCH_API_KEY: 'short',
      PROVIDER: 'mock',
      RETEN_API_KEY: 'rtn_sk_x',
      WEBHOOK_TOKEN: 'short',
      CONNECTION_SETTINGS: '{"max_in_flight":0}',
    })

    t.same(
      faults.map((fault) => fault.split(/[ /]/, 1)[0]).toSorted((one, other) => ((one ?? '') < (other ?? '') ? -1 : 1)),
      [
        'ADMIN_TOKEN',
        'CONNECTION_SETTINGS',
        'DATABASE_URL',
        'DISPATCH_API_KEY',
        'LOG_LEVEL',
        'PORT',
        'PROVIDER',
        'RETEN_ENVIRONMENT',
        'ROLE',
        'SECRETS_KEY',
        'TRUST_PROXY',
        'WEBHOOK_TOKEN',
      ],
    )
  })

  await t.test('is not held against another that depends on it', async (t) => {
    t.same(faultsOf({ PORT: 'http', OPS_PORT: '8080', OPS_HOST: '0.0.0.0' }), ['PORT must be integer'])
    t.same(faultsOf({ NODE_ENV: 'production', DATABASE_URL: 'x' }), [
      'DATABASE_URL must be a postgres:// or postgresql:// address',
    ])
  })

  await t.test('tells no secret', async (t) => {
    const secret = 'hunter2'
    const faults = faultsOf({
      DATABASE_URL: `postgres://u:${secret}/@h/db`,
      ADMIN_TOKEN: secret,
      SECRETS_KEY: secret,
      DISPATCH_API_KEY: secret,
      WEBHOOK_TOKEN: secret,
      RETEN_API_KEY: secret,
    })

    t.ok(faults.length >= 6)
    t.notMatch(faults.join('\n'), new RegExp(secret))
  })
})

void t.test('NAME_FILE', async (t) => {
  await t.test('gives any secret from a file, without the line break at its end', async (t) => {
    const path = await fileWith(t, `${DATABASE_URL}\n`)

    t.equal(loadConfig({ DATABASE_URL_FILE: path }).databaseUrl, DATABASE_URL)
    t.equal(
      loadConfig({ DISPATCH_API_KEY_FILE: await fileWith(t, `${KEY}\r\n`) }).environmentConnection?.dispatchKeys[0],
      KEY,
    )
  })

  await t.test('is read for the secrets only', async (t) => {
    const path = await fileWith(t, '81')

    t.equal(loadConfig({ PORT_FILE: path }).port, 8080)
    t.notOk(SECRET_NAMES.some((name) => !/KEY|TOKEN|SECRET|DATABASE/.test(name)))
  })

  await t.test('is refused beside the setting itself, without its file, and with an empty one', async (t) => {
    const path = await fileWith(t, ' \n')

    t.same(faultsOf({ ADMIN_TOKEN: TOKEN, ADMIN_TOKEN_FILE: path }), [
      'ADMIN_TOKEN_FILE and ADMIN_TOKEN are both set: keep one',
    ])
    t.match(faultsOf({ ADMIN_TOKEN_FILE: `${path}-gone` }), [
      /^ADMIN_TOKEN_FILE names a file that cannot be read: ENOENT/,
    ])
    t.same(faultsOf({ ADMIN_TOKEN_FILE: path }), ['ADMIN_TOKEN_FILE names an empty file'])
  })
})

void t.test('describeConfig', async (t) => {
  await t.test('shows what runs, and of secrets only how many there are', async (t) => {
    const secrets = {
      DATABASE_URL,
      ADMIN_TOKEN: TOKEN,
      SECRETS_KEY,
      DISPATCH_API_KEY: KEY,
      RETEN_API_KEY: 'rtn_sk_secret',
      WEBHOOK_TOKEN: 'a-webhook-token-0123',
      YOM_API_KEY: 'yom-secret',
    }

    const shown = describeConfig(loadConfig({ ...secrets, RETEN_ENVIRONMENT: 'local' }))

    t.match(shown, {
      role: 'all',
      database: 'configured',
      adminTokens: 1,
      secretsKeys: 1,
      environmentConnection: 'yom',
    })
    for (const secret of Object.values(secrets)) t.notOk(JSON.stringify(shown).includes(secret))
  })

  await t.test('says where nothing is configured', async (t) => {
    t.match(describeConfig(loadConfig({})), { database: 'embedded', environmentConnection: 'none', adminTokens: 0 })
  })
})
