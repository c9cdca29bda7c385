import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openSecrets } from '../../src/secret-box.ts'
import { createConnectionCatalog } from '../../src/store/connection-catalog.ts'
import { createSilentLogger } from '../../src/logger.ts'
import { openTestDb, SECRETS_KEY, storeDispatch } from '../ops/ops-fixture.ts'
import { runProgram } from './run-program.ts'

void t.test('npm run connections', async (t) => {
  const { db, url } = await openTestDb(t)
  const settings = { DATABASE_URL: url, SECRETS_KEY: SECRETS_KEY.key.toString('base64') }
  const run = (...args: string[]) => runProgram(t, 'connections', args, settings)
  const rowOf = (name: string) =>
    db.selectFrom('connections').selectAll().where('name', '=', name).executeTakeFirstOrThrow()

  await t.test('add stores a connection and prints what to enter where', async (t) => {
    const file = join(t.testdir({}), 'token')
    await writeFile(file, 'hush-hush\n')

    const args = [
      'add',
      'acme',
      '--provider',
      'webhook',
      '--setting',
      'max_in_flight=8',
      '--setting',
      'channels=["CALL"]',
    ]
    const adapter = [
      '--provider-setting',
      'url=https://provider.example/tasks',
      '--provider-secret',
      `auth_token=@${file}`,
    ]
    const reten = ['--reten-environment', 'staging', '--reten-api-key', 'rtn_sk_secret']
    const end = await run(...args, ...adapter, ...reten, '--public-url', 'https://receiver.example/', '--webhook-token')

    t.equal(end.stderr, '')
    t.equal(end.code, 0)
    t.match(end.stdout, /at Reten: base URL +│ https:\/\/receiver\.example +│/)
    t.match(end.stdout, /at Reten: API key +│ rdr_/)
    t.match(end.stdout, /https:\/\/receiver\.example\/webhooks\/webhook/)
    t.match(end.stdout, /webhook token +│ rdw_/)
    t.notMatch(end.stdout, /hush-hush|rtn_sk_secret/)
    const row = await rowOf('acme')
    t.match(row, { provider: 'webhook', settings: { max_in_flight: 8, channels: ['CALL'] } })
    t.equal(row.reten_base_url, 'https://api-staging.reten.ai')
    const sealed = { bytes: row.secrets ?? Buffer.alloc(0), keyId: row.secrets_key_id ?? '' }
    t.same(openSecrets([SECRETS_KEY], 'acme', sealed), {
      retenApiKey: 'rtn_sk_secret',
      provider: { auth_token: 'hush-hush' },
    })
  })

  await t.test('add --json prints a key that opens the connection', async (t) => {
    const end = await run('add', 'second', '--provider', 'mock', '--json')

    const { key, name } = JSON.parse(end.stdout)
    const logger = createSilentLogger()
    const config = { environmentConnection: undefined, secretsKeys: [SECRETS_KEY] }
    const catalog = createConnectionCatalog({ db, config, logger })
    t.equal(name, 'second')
    t.equal((await catalog.authenticate(key, 'dispatch'))?.connection.name, 'second')
  })

  await t.test('list and show speak of connections without their secrets', async (t) => {
    const [list, show, asJson] = await Promise.all([run('list'), run('show', 'acme'), run('show', 'acme', '--json')])
    const json: unknown = JSON.parse(asJson.stdout)

    t.match(list.stdout, /acme +│ webhook +│ managed +│ active/)
    t.match(show.stdout, /auth_token/)
    t.notMatch(show.stdout, /hush-hush|rdr_/)
    t.match(json, {
      name: 'acme',
      secrets: { provider: ['auth_token'] },
      keys: [{ purpose: 'dispatch' }, { purpose: 'webhook' }],
    })
  })

  await t.test('pause and resume, with the account as the author', async (t) => {
    const paused = await run('pause', 'acme', '--reason', 'provider is down')
    t.equal(paused.code, 0)
    t.match(await rowOf('acme'), { state: 'paused', state_reason: 'provider is down' })

    await run('resume', 'acme')
    t.match(await rowOf('acme'), { state: 'active', state_reason: null })
    const entries = await db.selectFrom('audit_log').selectAll().where('target', '=', 'acme').orderBy('id').execute()
    t.same(entries.map((entry) => entry.action).slice(-2), ['connection.paused', 'connection.resumed'])
    t.match(entries.at(-1)?.actor, /^shell:./)
  })

  await t.test('rotate-key makes a second key and gives the others an end', async (t) => {
    const end = await run('rotate-key', 'acme', '--overlap', '24h', '--json')

    t.match(JSON.parse(end.stdout), { key: /^rdr_/, purpose: 'dispatch', limited: 1 })
  })

  await t.test('remove archives, and says what waits', async (t) => {
    await storeDispatch(db, 'a1', { connection: 'second' })

    const end = await run('remove', 'second')

    t.match(end.stdout, /second is archived; 1 jobs wait/)
    t.equal((await rowOf('second')).state, 'archived')
  })

  await t.test('says in one sentence what is wrong, and exits 1', async (t) => {
    const ends = await Promise.all([
      run('pause', 'nobody', '--reason', 'why'),
      run('pause', 'acme'),
      run('add', 'x', '--provider', 'webhook'),
      run('add', 'x', '--provider', './nowhere.mjs'),
    ])

    for (const end of ends) {
      t.equal(end.code, 1)
      t.equal(end.stdout, '')
      t.notMatch(end.stderr, /^ +at /m)
    }
    t.match(
      ends.map((end) => end.stderr),
      [/there is no connection nobody/, /--reason/, /url is required/, /there is no adapter \.\/nowhere\.mjs/],
    )
  })
})
