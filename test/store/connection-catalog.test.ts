import { sql } from 'kysely'
import type { KyselyPlugin } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import type { SecretsKey } from '../../src/config.ts'
import type { EnvironmentConnection } from '../../src/environment-connection.ts'
import { createLogger } from '../../src/logger.ts'
import { sealSecrets } from '../../src/secret-box.ts'
import { createConnectionCatalog } from '../../src/store/connection-catalog.ts'
import type { ConnectionCatalog } from '../../src/store/connection-catalog.ts'
import type { Db } from '../../src/store/database.ts'
import { saveEnvironmentConnection } from '../../src/store/save-environment-connection.ts'
import { addConnection, addKey, KEY } from '../support/connections.ts'
import { openTestDatabase } from '../support/open-test-database.ts'
import { whenBlocked } from '../support/when-blocked.ts'

const SECRETS_KEY: SecretsKey = { id: 'k1', key: Buffer.alloc(32, 7) }

interface Fixture {
  readonly db: Db
  readonly url: string
  readonly catalog: ConnectionCatalog
  readonly lines: readonly string[]
  /** How many statements the catalog has run. */
  readonly statements: () => number
  readonly nameFor: (key: string, purpose?: 'dispatch' | 'webhook') => Promise<string | undefined>
}

async function createFixture(
  t: Test,
  options: { environment?: EnvironmentConnection; keys?: readonly SecretsKey[] } = {},
): Promise<Fixture> {
  const { db, url } = await openTestDatabase(t)
  const lines: string[] = []
  const logger = createLogger({ level: 'info', isPretty: false, destination: { write: (line) => lines.push(line) } })
  let statements = 0
  const counter: KyselyPlugin = {
    transformQuery: ({ node }) => {
      statements += 1
      return node
    },
    transformResult: async ({ result }) => result,
  }
  const catalog = createConnectionCatalog({
    db: db.withPlugin(counter),
    logger,
    config: { environmentConnection: options.environment, secretsKeys: options.keys ?? [SECRETS_KEY] },
  })
  return {
    db,
    url,
    catalog,
    lines,
    statements: () => statements,
    nameFor: async (key, purpose = 'dispatch') => (await catalog.authenticate(key, purpose))?.connection.name,
  }
}

const environment: EnvironmentConnection = {
  dispatchKeys: ['env-key-one-0123456789', 'env-key-two-0123456789'],
  provider: 'mock',
  retenBaseUrl: 'http://localhost:3000',
  retenApiKey: 'rtn_sk_env',
  webhookToken: 'env-webhook-0123456789',
  providerSettings: {},
  providerSecrets: { api_key: 'env-secret' },
  settings: {},
}

void t.test('authenticate', async (t) => {
  await t.test('opens the connection of a key for its purpose and no other', async (t) => {
    const { db, catalog, nameFor } = await createFixture(t)
    await addConnection(db)
    await addConnection(db, { name: 'other', key: 'a-key-of-other-0123456789' })
    await addKey(db, { key: 'a-webhook-token-0123456789', purpose: 'webhook' })
    await catalog.refresh()

    t.equal(await nameFor(KEY), 'acme')
    t.equal(await nameFor('a-key-of-other-0123456789'), 'other')
    t.equal(await nameFor('a-webhook-token-0123456789', 'webhook'), 'acme')
    t.equal(await nameFor('a-webhook-token-0123456789', 'dispatch'), undefined)
    t.equal(await nameFor(KEY, 'webhook'), undefined)
    for (const wrong of ['', KEY.slice(1), `${KEY} `, KEY.toUpperCase(), '__proto__']) {
      t.equal(await nameFor(wrong), undefined, wrong)
    }
  })

  await t.test('opens nothing with a key that is revoked, not valid yet or no more', async (t) => {
    const { db, catalog, nameFor } = await createFixture(t)
    await addConnection(db, { key: null })
    const past = new Date(Date.now() - 60_000).toISOString()
    const future = new Date(Date.now() + 60_000).toISOString()
    await addKey(db, { key: 'revoked', revokedAt: past })
    await addKey(db, { key: 'early', notBefore: future })
    await addKey(db, { key: 'late', notAfter: past })
    await addKey(db, { key: 'within', notBefore: past, notAfter: future })
    await catalog.refresh()

    t.same(await Promise.all(['revoked', 'early', 'late', 'within'].map((key) => nameFor(key))), [
      undefined,
      undefined,
      undefined,
      'acme',
    ])
  })

  await t.test('opens a paused connection, and no archived one', async (t) => {
    const { db, catalog, nameFor } = await createFixture(t)
    await addConnection(db, { name: 'paused', state: 'paused', key: 'key-of-paused' })
    await addConnection(db, { name: 'archived', state: 'archived', key: 'key-of-archived' })
    await catalog.refresh()

    t.equal(await nameFor('key-of-paused'), 'paused')
    t.equal(await nameFor('key-of-archived'), undefined)
    t.equal(catalog.get('archived'), undefined)
    t.same(
      catalog.list().map((connection) => [connection.name, connection.state, connection.stateReason]),
      [['paused', 'paused', 'for a test']],
    )
  })

  await t.test("opens the environment's connection with each of its keys, beside those of the database", async (t) => {
    const { db, catalog, nameFor } = await createFixture(t, { environment })
    await addConnection(db)
    await saveEnvironmentConnection(db, { ...environment, name: 'default' })
    await catalog.refresh()

    for (const [number, key] of environment.dispatchKeys.entries()) {
      t.match(await catalog.authenticate(key, 'dispatch'), {
        keyId: `env-${number + 1}`,
        connection: {
          name: 'default',
          origin: 'environment',
          retenApiKey: 'rtn_sk_env',
          retenBaseUrl: 'http://localhost:3000',
          providerSecrets: { api_key: 'env-secret' },
        },
      })
    }
    t.match(await catalog.authenticate('env-webhook-0123456789', 'webhook'), { keyId: 'env-webhook' })
    t.equal(await nameFor('env-webhook-0123456789', 'dispatch'), undefined)
    t.equal(await nameFor(KEY), 'acme')
  })

  await t.test('recognises a key that was added a moment ago', async (t) => {
    const { db, catalog, nameFor } = await createFixture(t)
    await catalog.refresh()
    t.equal(await nameFor(KEY), undefined)

    await addConnection(db)

    t.equal(await nameFor(KEY), 'acme')
  })

  await t.test('recognises a new key on every one of many requests that bring it at once', async (t) => {
    const { db, catalog, nameFor } = await createFixture(t)
    await catalog.refresh()
    await addConnection(db)

    const names = await Promise.all(Array.from({ length: 20 }, () => nameFor(KEY)))

    t.same(new Set(names), new Set(['acme']))
  })

  await t.test('opens what a lookup finds only as far as the catalog would', async (t) => {
    const { db, catalog, nameFor } = await createFixture(t)
    await catalog.refresh()
    await addConnection(db, { name: 'archived', state: 'archived', key: 'key-of-archived' })
    await addConnection(db)
    const past = new Date(Date.now() - 60_000).toISOString()
    const future = new Date(Date.now() + 60_000).toISOString()
    await addKey(db, { key: 'revoked', revokedAt: past })
    await addKey(db, { key: 'early', notBefore: future })
    await addKey(db, { key: 'late', notAfter: past })
    await addKey(db, { key: 'token', purpose: 'webhook' })

    for (const key of ['key-of-archived', 'revoked', 'early', 'late', 'token'])
      t.equal(await nameFor(key), undefined, key)
    t.equal(await nameFor('token', 'webhook'), 'acme')
  })

  await t.test('asks the database nothing for a key it knows, and little for any number of strangers', async (t) => {
    const { db, catalog, statements, nameFor } = await createFixture(t)
    await addConnection(db)
    await catalog.refresh()
    const before = statements()

    await nameFor(KEY)
    t.equal(statements(), before)

    const strangers = await Promise.all(Array.from({ length: 200 }, (_, number) => nameFor(`stranger-${number}`)))
    t.same(new Set(strangers), new Set([undefined]))
    t.ok(statements() - before <= 2, `${statements() - before} statements`)
  })

  await t.test('does not call a key wrong while it cannot be looked up', async (t) => {
    const { db, catalog, nameFor } = await createFixture(t)
    await addConnection(db)
    await catalog.refresh()
    await sql`alter table connection_keys rename to moved`.execute(db)

    await t.rejects(catalog.authenticate('new', 'dispatch'), { code: '42P01' })
    await t.rejects(catalog.authenticate('new', 'dispatch'), { code: '42P01' }, 'nor a moment later')
    t.match(await catalog.authenticate(KEY, 'dispatch'), { connection: { name: 'acme' } }, 'known ones still open')

    await sql`alter table moved rename to connection_keys`.execute(db)
    await addKey(db, { key: 'new' })
    t.equal(await nameFor('new'), 'acme')
  })
})

void t.test('refresh', async (t) => {
  await t.test('drops a key that was revoked and a connection that was archived', async (t) => {
    const { db, catalog, nameFor } = await createFixture(t)
    await addConnection(db)
    await addConnection(db, { name: 'other', key: 'a-key-of-other-0123456789' })
    await catalog.refresh()
    await sql`update connection_keys set revoked_at = now() where connection = 'acme'`.execute(db)
    await sql`update connections set state = 'archived' where name = 'other'`.execute(db)

    await catalog.refresh()

    t.same([await nameFor(KEY), await nameFor('a-key-of-other-0123456789')], [undefined, undefined])
    t.same(
      catalog.list().map((connection) => connection.name),
      ['acme'],
    )
  })

  await t.test('shows what was written before it was asked for, though another reading is under way', async (t) => {
    const { db, url, catalog, nameFor } = await createFixture(t)
    const { db: other } = await openTestDatabase(t, url)
    await addConnection(db)
    const readings: Promise<void>[] = []
    await other.transaction().execute(async (tx) => {
      // A reading takes the keys first, and then waits here for the connections.
      await sql`lock table connections in access exclusive mode`.execute(tx)
      readings.push(catalog.refresh())
      await whenBlocked(db)
      await sql`update connection_keys set revoked_at = now()`.execute(tx)
    })

    readings.push(catalog.refresh())
    await Promise.all(readings)

    t.equal(await nameFor(KEY), undefined)
  })

  await t.test(
    'lets a connection receive whose settings or secrets are at fault, and says that it can do no more',
    async (t) => {
      const { db, catalog, lines, nameFor } = await createFixture(t)
      await addConnection(db)
      await addConnection(db, {
        name: 'bad-settings',
        settings: { max_in_flight: 0, on_unreadable: 'refuse' },
        key: 'key-of-bad-settings',
      })
      await addConnection(db, { name: 'bad-secrets', key: 'key-of-bad-secrets' })
      const foreign = sealSecrets([SECRETS_KEY], 'acme', { retenApiKey: 'rtn_sk_stolen', provider: {} })
      await sql`update connections set secrets = ${foreign.bytes}, secrets_key_id = 'k1' where name = 'bad-secrets'`.execute(
        db,
      )

      await catalog.refresh()

      t.equal(await nameFor(KEY), 'acme')
      t.equal(await nameFor('key-of-bad-settings'), 'bad-settings')
      t.equal(await nameFor('key-of-bad-secrets'), 'bad-secrets')
      t.match(catalog.get('bad-settings'), {
        fault: /max_in_flight/,
        settings: { maxInFlight: 4, onUnreadable: 'refuse' },
      })
      t.match(catalog.get('bad-secrets'), { fault: /do not open/, retenApiKey: undefined, providerSecrets: {} })
      t.match(catalog.fault(), /bad-settings: .*; bad-secrets: |bad-secrets: .*; bad-settings: /)
      for (const name of ['bad-settings', 'bad-secrets']) {
        t.ok(lines.some((line) => line.includes('"connection.unusable"') && line.includes(`"${name}"`)))
      }
      t.notMatch(lines.join(), /rtn_sk_stolen/)
    },
  )

  await t.test('opens sealed secrets and fills in the defaults of settings', async (t) => {
    const { db, catalog } = await createFixture(t)
    await addConnection(db, { settings: { channels: ['SALESMAN'], on_unreadable: 'refuse' } })
    const secrets = { retenApiKey: 'rtn_sk_acme', provider: { api_key: 'p' } }
    const sealed = sealSecrets([SECRETS_KEY], 'acme', secrets)
    await sql`update connections set secrets = ${sealed.bytes}, secrets_key_id = 'k1'`.execute(db)

    await catalog.refresh()

    t.match(catalog.get('acme'), {
      retenApiKey: 'rtn_sk_acme',
      providerSecrets: { api_key: 'p' },
      settings: { channels: ['SALESMAN'], maxInFlight: 4, onUnreadable: 'refuse', onChangedBody: 'keep' },
    })
    t.ok(Object.isFrozen(catalog.get('acme')))
  })

  await t.test('gives a connection another version when it is changed, and the same when it is paused', async (t) => {
    const { db, catalog } = await createFixture(t)
    await addConnection(db)
    await catalog.refresh()
    const before = catalog.get('acme')?.version

    await sql`update connections set state = 'paused', state_reason = 'x'`.execute(db)
    await catalog.refresh()
    t.equal(catalog.get('acme')?.version, before)

    await sql`update connections set updated_at = now()`.execute(db)
    await catalog.refresh()
    t.not(catalog.get('acme')?.version, before)
  })

  await t.test('keeps what it knew when it fails, and reads again when asked again', async (t) => {
    const { db, catalog, nameFor } = await createFixture(t)
    await addConnection(db)
    await catalog.refresh()
    await sql`alter table connections rename to moved`.execute(db)

    await t.rejects(catalog.refresh(), { code: '42P01' })
    t.equal(await nameFor(KEY), 'acme')

    await sql`alter table moved rename to connections`.execute(db)
    await t.resolves(catalog.refresh())
  })
})
