import t from 'tap'
import { changeConnection, createConnection } from '../../src/store/write-connection.ts'
import type { ConnectionValues, NewConnection } from '../../src/store/write-connection.ts'
import { addConnectionRow, openTestDb } from '../ops/ops-fixture.ts'

const AUTHOR = { actor: 'ada' }
const VALUES: ConnectionValues = { retenBaseUrl: undefined, settings: {}, providerSettings: {}, secrets: undefined }
const ACME: NewConnection = { name: 'acme', provider: 'mock', ...VALUES }

void t.test('createConnection', async (t) => {
  const { db } = await openTestDb(t)

  await t.test('lets one of two that add the same name at once have it', async (t) => {
    const done = await Promise.all([createConnection(db, ACME, AUTHOR), createConnection(db, ACME, AUTHOR)])

    t.same(done.toSorted(), ['created', 'exists'])
  })

  await t.test('leaves a paused connection as it is', async (t) => {
    await addConnectionRow(db, 'paused', { state: 'paused' })

    t.equal(await createConnection(db, { ...ACME, name: 'paused' }, AUTHOR), 'exists')
    const row = await db
      .selectFrom('connections')
      .select('state')
      .where('name', '=', 'paused')
      .executeTakeFirstOrThrow()
    t.equal(row.state, 'paused')
  })

  await t.test('brings an archived connection back active, with the new values', async (t) => {
    await addConnectionRow(db, 'gone', { state: 'archived' })

    t.equal(await createConnection(db, { ...ACME, name: 'gone', provider: 'yom' }, AUTHOR), 'restored')
    const row = await db.selectFrom('connections').selectAll().where('name', '=', 'gone').executeTakeFirstOrThrow()
    t.match(row, { state: 'active', state_reason: null, provider: 'yom' })
  })
})

void t.test('changeConnection', async (t) => {
  const { db } = await openTestDb(t)
  await createConnection(db, ACME, AUTHOR)
  const settingsOf = async () =>
    (await db.selectFrom('connections').select('settings').where('name', '=', 'acme').executeTakeFirstOrThrow())
      .settings

  await t.test('loses neither of two changes made at once', async (t) => {
    const add = (name: string) =>
      changeConnection(db, 'acme', AUTHOR, async (current) => ({
        values: { ...current, settings: { ...current.settings, [name]: 1 } },
        detail: {},
      }))

    await Promise.all([add('one'), add('other')])

    t.same(await settingsOf(), { one: 1, other: 1 })
  })

  await t.test('writes nothing where the change throws', async (t) => {
    const before = await db.selectFrom('audit_log').select('id').execute()

    await t.rejects(
      changeConnection(db, 'acme', AUTHOR, () => Promise.reject(new Error('wrong value'))),
      { message: 'wrong value' },
    )

    t.same(await settingsOf(), { one: 1, other: 1 })
    t.same(await db.selectFrom('audit_log').select('id').execute(), before)
  })

  await t.test('leaves archived and environment connections alone', async (t) => {
    await addConnectionRow(db, 'gone', { state: 'archived' })
    await addConnectionRow(db, 'default', { origin: 'environment' })
    const change = (name: string) => changeConnection(db, name, AUTHOR, async () => ({ values: VALUES, detail: {} }))

    t.equal(await change('gone'), 'not_found')
    t.equal(await change('nobody'), 'not_found')
    t.equal(await change('default'), 'environment')
  })
})
