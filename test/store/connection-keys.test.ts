import t from 'tap'
import type { Test } from 'tap'
import { insertKey, listKeys, revokeKey } from '../../src/store/connection-keys.ts'
import type { NewKey } from '../../src/store/connection-keys.ts'
import { addConnectionRow, openTestDb } from '../ops/ops-fixture.ts'

const AUTHOR = { actor: 'ada' }
const HOUR_S = 3_600

async function createFixture(t: Test) {
  const { db } = await openTestDb(t)
  await addConnectionRow(db, 'acme')
  await addConnectionRow(db, 'other')
  const insert = (key: string, overrides: Partial<NewKey> = {}) =>
    insertKey(
      db,
      {
        connection: 'acme',
        purpose: 'dispatch',
        label: undefined,
        notBefore: undefined,
        notAfter: undefined,
        key,
        ...overrides,
      },
      AUTHOR,
    )
  const idOf = async (key: string, overrides: Partial<NewKey> = {}) => (await insert(key, overrides))?.key.id ?? ''
  return { db, insert, idOf }
}

void t.test('insertKey', async (t) => {
  await t.test('refuses a key that stands already, at whichever connection', async (t) => {
    const { insert } = await createFixture(t)
    await insert('k1')

    t.equal(await insert('k1'), undefined)
    t.equal(await insert('k1', { connection: 'other' }), undefined)
    t.ok(await insert('k1', { purpose: 'webhook' }))
  })

  await t.test('lets the other usable keys of its purpose end, and touches no other key', async (t) => {
    const { db, insert, idOf } = await createFixture(t)
    const old = await idOf('old')
    const endsSooner = await idOf('sooner', { notAfter: new Date(Date.now() + 60_000).toISOString() })
    const revoked = await idOf('revoked')
    await revokeKey(db, { connection: 'acme', id: revoked, author: AUTHOR })
    const webhook = await idOf('webhook', { purpose: 'webhook' })
    const foreign = await idOf('foreign', { connection: 'other' })

    const made = await insert('new', { othersEndAfterSeconds: 24 * HOUR_S })

    t.equal(made?.limited, 1)
    const keys = new Map(
      [...(await listKeys(db, 'acme')), ...(await listKeys(db, 'other'))].map((key) => [key.id, key]),
    )
    const secondsLeft = (id: string) => ((keys.get(id)?.not_after?.getTime() ?? Number.NaN) - Date.now()) / 1_000
    t.ok(Math.abs(secondsLeft(old) - 24 * HOUR_S) < 60)
    t.ok(secondsLeft(endsSooner) < 61)
    for (const id of [revoked, webhook, foreign, made?.key.id ?? '']) t.equal(keys.get(id)?.not_after, null)
    t.equal(keys.get(old)?.is_usable, true)
  })

  await t.test('ends the others at once where there is no overlap', async (t) => {
    const { db, insert, idOf } = await createFixture(t)
    const old = await idOf('old')

    await insert('new', { othersEndAfterSeconds: 0 })

    t.equal((await listKeys(db, 'acme')).find((key) => key.id === old)?.is_usable, false)
  })
})

void t.test('revokeKey', async (t) => {
  await t.test('revokes nothing of another connection', async (t) => {
    const { db, idOf } = await createFixture(t)
    const id = await idOf('k1')

    t.equal(await revokeKey(db, { connection: 'other', id, author: AUTHOR }), undefined)
    t.equal((await listKeys(db, 'acme'))[0]?.is_usable, true)
  })

  await t.test('keeps the moment of the first revocation', async (t) => {
    const { db, idOf } = await createFixture(t)
    const id = await idOf('k1')
    await revokeKey(db, { connection: 'acme', id, author: AUTHOR })
    const [before] = await listKeys(db, 'acme')

    t.equal(await revokeKey(db, { connection: 'acme', id, author: AUTHOR }), 'revoked')

    t.same((await listKeys(db, 'acme'))[0]?.revoked_at, before?.revoked_at)
  })
})
