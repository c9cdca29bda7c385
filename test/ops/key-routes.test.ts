import t from 'tap'
import { addConnectionRow, createOpsFixture } from './ops-fixture.ts'

void t.test('keys of a connection', async (t) => {
  const { ask, db, catalog } = await createOpsFixture(t)
  await addConnectionRow(db)
  const make = (body?: object) =>
    ask('admin', { method: 'POST', url: '/admin/connections/acme/keys', ...(body === undefined ? {} : { body }) })
  const list = () => ask('viewer', { url: '/admin/connections/acme/keys' })

  await t.test('a made key is shown once, opens the connection at once, and is stored as a digest', async (t) => {
    const answer = await make()

    const { key, id } = answer.json()
    t.equal(answer.statusCode, 201)
    t.match(key, /^rdr_[A-Za-z0-9_-]{43}$/)
    t.equal(answer.headers['cache-control'], 'no-store')
    t.equal((await catalog.authenticate(key, 'dispatch'))?.keyId, id)
    t.equal(await catalog.authenticate(key, 'webhook'), undefined)
    t.notMatch((await list()).body, key)
    t.match((await list()).json().data, [{ id, purpose: 'dispatch', isUsable: true, revokedAt: null }])
  })

  await t.test('a key for webhooks carries another mark', async (t) => {
    const { key, label } = (await make({ purpose: 'webhook', label: 'provider' })).json()

    t.match(key, /^rdw_/)
    t.equal(label, 'provider')
  })

  await t.test('several keys live at once, and each can be revoked alone', async (t) => {
    const one = (await make()).json()
    const other = (await make()).json()

    const answer = await ask('admin', { method: 'DELETE', url: `/admin/connections/acme/keys/${one.id}` })

    t.equal(answer.statusCode, 204)
    t.equal(await catalog.authenticate(one.key, 'dispatch'), undefined)
    t.ok(await catalog.authenticate(other.key, 'dispatch'))
    const shown = (await list()).json().data.find((key: { id: string }) => key.id === one.id)
    t.equal(shown.isUsable, false)
    t.match(shown.revokedAt, /^\d{4}-/)
  })

  await t.test('a key opens nothing outside its period', async (t) => {
    const late = (await make({ notBefore: '2999-01-01T00:00:00Z' })).json()
    const over = (await make({ notAfter: '2001-01-01T00:00:00Z' })).json()

    t.equal(await catalog.authenticate(late.key, 'dispatch'), undefined)
    t.equal(await catalog.authenticate(over.key, 'dispatch'), undefined)
  })

  await t.test('making and revoking stand in the audit log, without the key', async (t) => {
    const made = (await make()).json()
    await ask('admin', { method: 'DELETE', url: `/admin/connections/acme/keys/${made.id}` })
    await ask('admin', { method: 'DELETE', url: `/admin/connections/acme/keys/${made.id}` })

    const rows = await db.selectFrom('audit_log').selectAll().where('target', '=', made.id).orderBy('id').execute()

    t.same(
      rows.map((row) => [row.action, row.actor, row.connection]),
      [
        ['key.created', 'ada', 'acme'],
        ['key.revoked', 'ada', 'acme'],
      ],
    )
    t.notMatch(JSON.stringify(rows), made.key)
  })

  await t.test('refuses a period that ends before it begins, a wrong purpose and a wrong time', async (t) => {
    const upsideDown = { notBefore: '2030-01-02T00:00:00Z', notAfter: '2030-01-01T00:00:00Z' }

    t.match((await make(upsideDown)).json(), { statusCode: 400, details: [{ path: '/notAfter' }] })
    t.match((await make({ purpose: 'admin' })).json(), { statusCode: 400, details: [{ path: '/purpose' }] })
    t.match((await make({ notAfter: 'tomorrow' })).json(), { statusCode: 400, details: [{ path: '/notAfter' }] })
  })

  await t.test('answers 404 for a key or a connection nobody has', async (t) => {
    const revoke = (path: string) => ask('admin', { method: 'DELETE', url: `/admin/connections/${path}` })
    const unknown = '00000000-0000-4000-8000-000000000000'

    t.equal((await revoke(`acme/keys/${unknown}`)).json().code, 'RCV_KEY_NOT_FOUND')
    t.equal((await revoke('acme/keys/x')).json().code, 'RCV_KEY_NOT_FOUND')
    t.equal((await revoke(`nobody/keys/${unknown}`)).json().code, 'RCV_CONNECTION_NOT_FOUND')
  })

  await t.test('takes an admin to make and to revoke', async (t) => {
    t.equal((await ask('operator', { method: 'POST', url: '/admin/connections/acme/keys' })).statusCode, 403)
  })

  await t.test('an archived connection gets no keys', async (t) => {
    await addConnectionRow(db, 'gone', { state: 'archived' })

    const answer = await ask('admin', { method: 'POST', url: '/admin/connections/gone/keys' })

    t.match(answer.json(), { statusCode: 409, code: 'RCV_STATE_CONFLICT' })
  })
})
