import { hash } from 'node:crypto'
import t from 'tap'
import { loadConnections } from '../../src/store/load-connections.ts'
import { addConnection, addKey, KEY } from '../support/connections.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

void t.test('loadConnections', async (t) => {
  await t.test('reads every connection, archived ones included', async (t) => {
    const { db } = await openTestDatabase(t)
    await addConnection(db, { settings: { max_in_flight: 8 } })
    await addConnection(db, { name: 'paused', state: 'paused', key: null })
    await addConnection(db, { name: 'archived', state: 'archived', key: null })

    const { connections } = await loadConnections(db)

    t.same(
      new Map(connections.map((row) => [row.name, row.state])),
      new Map([
        ['acme', 'active'],
        ['paused', 'paused'],
        ['archived', 'archived'],
      ]),
    )
    t.match(
      connections.find((row) => row.name === 'acme'),
      { provider: 'mock', origin: 'managed', settings: { max_in_flight: 8 }, secrets: null, updated_at: Date },
    )
  })

  await t.test('reads the keys that are valid now, by digest and purpose, and no others', async (t) => {
    const { db } = await openTestDatabase(t)
    await addConnection(db)
    const past = new Date(Date.now() - 60_000).toISOString()
    const future = new Date(Date.now() + 60_000).toISOString()
    await addKey(db, { key: KEY, purpose: 'webhook' })
    await addKey(db, { key: 'within', notBefore: past, notAfter: future })
    await addKey(db, { key: 'revoked', revokedAt: past, notAfter: future })
    await addKey(db, { key: 'early', notBefore: future })
    await addKey(db, { key: 'late', notAfter: past })

    const { keys } = await loadConnections(db)

    t.same(
      new Set(keys.map((key) => `${key.connection} ${key.purpose} ${key.digest}`)),
      new Set([
        `acme dispatch ${hash('sha256', KEY, 'hex')}`,
        `acme webhook ${hash('sha256', KEY, 'hex')}`,
        `acme dispatch ${hash('sha256', 'within', 'hex')}`,
      ]),
    )
  })

  await t.test('reads nothing where there is nothing', async (t) => {
    const { db } = await openTestDatabase(t)

    t.same(await loadConnections(db), { connections: [], keys: [] })
  })
})
