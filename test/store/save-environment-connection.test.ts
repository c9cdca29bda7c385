import { sql } from 'kysely'
import t from 'tap'
import type { Db } from '../../src/store/database.ts'
import { saveEnvironmentConnection } from '../../src/store/save-environment-connection.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

const row = {
  name: 'default',
  provider: 'yom',
  retenBaseUrl: 'https://api.reten.ai',
  settings: { channels: ['SALESMAN'] },
  providerSettings: { base_url: 'https://yom.example' },
}

const stored = (db: Db) => db.selectFrom('connections').selectAll().executeTakeFirstOrThrow()

void t.test('saveEnvironmentConnection', async (t) => {
  await t.test('writes the row of a connection that is new', async (t) => {
    const { db } = await openTestDatabase(t)

    await saveEnvironmentConnection(db, row)

    t.match(await stored(db), {
      name: 'default',
      provider: 'yom',
      origin: 'environment',
      state: 'active',
      reten_base_url: 'https://api.reten.ai',
      settings: { channels: ['SALESMAN'] },
      provider_settings: { base_url: 'https://yom.example' },
      secrets: null,
    })
  })

  await t.test('changes nothing where nothing changed, so that clients built from it stay', async (t) => {
    const { db } = await openTestDatabase(t)
    await saveEnvironmentConnection(db, row)
    const before = await stored(db)

    await saveEnvironmentConnection(db, row)

    t.same(await stored(db), before)
  })

  await t.test('changes what changed, down to a value that is gone', async (t) => {
    const { db } = await openTestDatabase(t)
    await saveEnvironmentConnection(db, row)
    const before = await stored(db)

    await saveEnvironmentConnection(db, { ...row, retenBaseUrl: undefined, settings: {} })

    const after = await stored(db)
    t.match(after, { reten_base_url: null, settings: {}, provider: 'yom' })
    t.ok(after.updated_at > before.updated_at)
  })

  await t.test('leaves a pause as it is', async (t) => {
    const { db } = await openTestDatabase(t)
    await saveEnvironmentConnection(db, row)
    await sql`update connections set state = 'paused', state_reason = 'provider is down'`.execute(db)

    await saveEnvironmentConnection(db, { ...row, provider: 'webhook' })

    t.match(await stored(db), { provider: 'webhook', state: 'paused', state_reason: 'provider is down' })
  })

  await t.test('brings an archived one back, without the reason it was archived for', async (t) => {
    const { db } = await openTestDatabase(t)
    await saveEnvironmentConnection(db, row)
    await sql`update connections set state = 'archived', state_reason = 'moved'`.execute(db)

    await saveEnvironmentConnection(db, row)

    t.match(await stored(db), { state: 'active', state_reason: null })
  })

  await t.test('may be done by many instances at once', async (t) => {
    const { db, url } = await openTestDatabase(t)
    const { db: other } = await openTestDatabase(t, url)

    await Promise.all([db, other, db, other].map((instance) => saveEnvironmentConnection(instance, row)))

    t.equal((await db.selectFrom('connections').selectAll().execute()).length, 1)
  })
})
