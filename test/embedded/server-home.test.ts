// Only root can be asked for a directory that the server's account cannot enter.

import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { startEmbeddedPostgres } from '../../src/embedded/start-embedded-postgres.ts'
import { prepareHome, systemDirectory } from '../../src/embedded/server-home.ts'
import { createDirectory, linkPackage, query, startOwner, startServer, SLOW_TEST_MS } from './embedded-fixture.ts'

const skip = process.getuid?.() === 0 ? false : 'needs root'

t.setTimeout(SLOW_TEST_MS)

t.test('prepareHome', async (t) => {
  t.test('keeps the data in the directory asked for', async (t) => {
    const directory = join(createDirectory(t), 'a', 'b')

    const home = prepareHome(directory)

    t.equal(home.path, directory)
    t.equal(home.account === undefined, process.getuid?.() !== 0)
  })

  t.test('lets nobody but its user into the directory', { skip: skip === false && 'root' }, async (t) => {
    const home = prepareHome(join(createDirectory(t), 'postgres'))

    t.equal(statSync(home.path).mode & 0o777, 0o700)
  })

  t.test('refuses the directory of another user', { skip: skip === false && 'root' }, async (t) => {
    t.throws(() => prepareHome('/usr'), {
      code: 'RCV_EMBEDDED_START',
      message: '/usr belongs to the user with id 0: start as that user, or remove it',
    })
  })
})

t.test('prepareHome, as root', { skip }, async (t) => {
  t.test('runs a server from a checkout that only root may enter', async (t) => {
    const { checkout, options } = createPrivateCheckout(t)
    linkPackage(options.packageDirectory)

    const { url } = await startServer(t, options)

    const [row] = await query(url, 'show data_directory')
    t.match(
      row?.['data_directory'],
      new RegExp(`^${options.systemDirectories[0]}/reten-dispatch-receiver/[0-9a-f]+/data$`),
    )
    t.ok(existsSync(join(checkout, '.data', 'postgres', 'elsewhere.json')))
  })

  t.test('finds the data of such a checkout again, also after it was moved', async (t) => {
    const { checkout, options } = createPrivateCheckout(t)
    linkPackage(options.packageDirectory)
    const first = await startServer(t, options)
    await query(first.url, 'create table kept as select 42 as answer')
    await first.stop()
    renameSync(checkout, `${checkout} moved`)

    const directory = join(`${checkout} moved`, '.data', 'postgres')
    const packageDirectory = join(`${checkout} moved`, 'package')
    const second = await startServer(t, { ...options, directory, packageDirectory })

    t.strictSame(await query(second.url, 'select answer from kept'), [{ answer: 42 }])
  })

  t.test('does not share them with a copy of the checkout', async (t) => {
    const { checkout, options } = createPrivateCheckout(t)
    const original = prepareHome(options.directory, options.systemDirectories)
    cpSync(checkout, `${checkout} copied`, { recursive: true })

    const copy = prepareHome(join(`${checkout} copied`, '.data', 'postgres'), options.systemDirectories)

    t.not(copy.path, original.path)
    t.equal(prepareHome(options.directory, options.systemDirectories).path, original.path)
  })

  t.test('starts anew when the directory was removed', async (t) => {
    const { checkout, options } = createPrivateCheckout(t)
    const original = prepareHome(options.directory, options.systemDirectories)
    renameSync(join(checkout, '.data'), join(checkout, 'removed'))

    t.not(prepareHome(options.directory, options.systemDirectories).path, original.path)
  })

  t.test('gives processes that start there at the same moment one server', async (t) => {
    const { options } = createPrivateCheckout(t)
    linkPackage(options.packageDirectory)

    const owners = await Promise.all([1, 2].map(() => startOwner(t, options)))

    t.equal(owners.filter(({ isOwner }) => isOwner).length, 1)
    t.equal(new Set(owners.map(({ url }) => url)).size, 1)
  })

  t.test('keeps using the data elsewhere once the directory can be entered', async (t) => {
    const { checkout, options } = createPrivateCheckout(t)
    const original = prepareHome(options.directory, options.systemDirectories)

    chmodSync(checkout, 0o755)

    t.equal(prepareHome(options.directory, options.systemDirectories).path, original.path)
  })

  t.test('does not start without data that the account can no longer reach', async (t) => {
    const { checkout, options } = createPrivateCheckout(t)
    mkdirSync(join(options.directory, 'data'), { recursive: true })

    t.throws(() => prepareHome(options.directory, options.systemDirectories), {
      code: 'RCV_EMBEDDED_START',
      message: new RegExp(`cannot reach ${checkout}/.data/postgres/data: let it pass`),
    })
  })

  t.test('trusts no system directory that others can change', async (t) => {
    const open = createDirectory(t)
    mkdirSync(join(open, 'reten-dispatch-receiver'))
    chmodSync(join(open, 'reten-dispatch-receiver'), 0o777)

    t.throws(() => systemDirectory([open]), { code: 'RCV_EMBEDDED_UNAVAILABLE' })
  })

  t.test('gives data that root copied to the account of the server', async (t) => {
    const directory = join(createDirectory(t), 'postgres')
    const server = await startEmbeddedPostgres({ directory, isThrowaway: true })
    const { uid } = statSync(join(directory, 'data'))
    await server.stop()
    const copied = join(createDirectory(t), 'postgres')
    cpSync(directory, copied, { recursive: true })

    const { url } = await startServer(t, { directory: copied, isThrowaway: true })

    t.strictSame(await query(url, 'select 1 as one'), [{ one: 1 }])
    t.equal(statSync(join(copied, 'data', 'PG_VERSION')).uid, uid)
  })
})

/** A checkout like one below /root: package and data in a directory of mode 0700. */
function createPrivateCheckout(t: Test) {
  const systemDirectories = [createDirectory(t)] as const
  const checkout = join(createDirectory(t), 'private checkout')
  mkdirSync(checkout, { mode: 0o700 })
  const directory = join(checkout, '.data', 'postgres')
  const packageDirectory = join(checkout, 'package')
  return { checkout, options: { directory, packageDirectory, systemDirectories, isThrowaway: true } }
}
