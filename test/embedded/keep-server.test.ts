// No end of a server, of its keeper or of its owner may cost data. Processes are found in /proc, so these tests run on Linux.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import {
  findKeeper,
  findServer,
  prepareDirectories,
  processesIn,
  query,
  SLOW_TEST_MS,
  startOwner,
  startServer,
  until,
} from './embedded-fixture.ts'

const skip = process.platform === 'linux' ? false : 'needs /proc'
t.setTimeout(SLOW_TEST_MS)

t.test('keepServer', { skip }, async (t) => {
  const createPrepared = await prepareDirectories(t)
  const createDurable = await prepareDirectories(t, false)

  t.test('keeps what was committed when the owner is killed', async (t) => {
    const options = createDurable(t)
    const owner = await startOwner(t, options)
    await query(owner.url, 'create table kept as select 42 as answer')
    await owner.end('SIGKILL')

    const { url } = await startServer(t, options)

    t.strictSame(await query(url, 'select answer from kept'), [{ answer: 42 }])
  })

  t.test('starts a killed server again at the same address, with its data', async (t) => {
    const options = createDurable(t)
    const { directory } = options
    const owner = await startOwner(t, options)
    await query(owner.url, 'create table kept as select 42 as answer')

    process.kill(findServer(directory), 'SIGKILL')

    await until(async () => (await query(owner.url, 'select answer from kept')).length === 1, 'the server to be back')
    t.equal(readFileSync(join(directory, 'port'), 'utf8'), String(owner.port))
  })

  t.test('is taken over when the keeper is killed, with the server back at the same address', async (t) => {
    const options = createDurable(t)
    const { directory } = options
    const server = await startServer(t, options)
    await query(server.url, 'create table kept as select 42 as answer')
    const killed = findKeeper(directory)

    process.kill(killed, 'SIGKILL')

    await until(() => findKeeper(directory) !== killed, 'another keeper')
    await until(async () => (await query(server.url, 'select answer from kept')).length === 1, 'the server to be back')
    await server.stop()
    t.strictSame(processesIn(directory), [])
  })

  t.test('replaces the server whose keeper and owner were both killed', async (t) => {
    const options = createDurable(t)
    const { directory } = options
    const owner = await startOwner(t, options)
    await query(owner.url, 'create table kept as select 42 as answer')
    const orphan = findServer(directory)
    process.kill(owner.pid, 'SIGSTOP')
    process.kill(findKeeper(directory), 'SIGKILL')
    await owner.end('SIGKILL')

    const { url, isOwner } = await startServer(t, options)

    t.ok(isOwner)
    t.not(findServer(directory), orphan)
    t.strictSame(await query(url, 'select answer from kept'), [{ answer: 42 }])
  })

  t.test('recovers when everything was killed and the pid of the server went to another process', async (t) => {
    const options = createDurable(t)
    const { directory } = options
    const owner = await startOwner(t, options)
    await query(owner.url, 'create table kept as select 42 as answer')
    process.kill(owner.pid, 'SIGSTOP')
    process.kill(findKeeper(directory), 'SIGKILL')
    process.kill(findServer(directory), 'SIGKILL')
    await owner.end('SIGKILL')
    await until(() => processesIn(directory).length === 0, 'the end of all processes')
    const bystander = await startBystander(t, statSync(join(directory, 'data')))
    const pidFile = join(directory, 'data', 'postmaster.pid')
    writeFileSync(pidFile, readFileSync(pidFile, 'utf8').replace(/^\d+/, String(bystander.pid)))

    const { url } = await startServer(t, options)

    t.strictSame(await query(url, 'select answer from kept'), [{ answer: 42 }])
    t.equal(bystander.exitCode, null)
  })

  t.test('recovers from the empty pid file that a power cut leaves', async (t) => {
    const options = createDurable(t)
    writeFileSync(join(options.directory, 'data', 'postmaster.pid'), '')

    const { url } = await startServer(t, options)

    t.strictSame(await query(url, 'select 1 as one'), [{ one: 1 }])
  })

  t.test('throws throwaway data away when they were not shut down orderly', async (t) => {
    const options = createPrepared(t)
    const { directory } = options
    const owner = await startOwner(t, options)
    await query(owner.url, 'create table lost as select 42 as answer')
    process.kill(owner.pid, 'SIGSTOP')
    process.kill(findKeeper(directory), 'SIGKILL')
    process.kill(findServer(directory), 'SIGKILL')
    await owner.end('SIGKILL')

    const { url } = await startServer(t, options)

    t.strictSame(await query(url, `select to_regclass('lost') as lost`), [{ lost: null }])
  })
})

/** A process of the account that owns the data, since PostgreSQL only minds those of its own account. */
async function startBystander(t: Test, { uid, gid }: { uid: number; gid: number }) {
  const bystander = spawn('sleep', ['1000'], { uid, gid, cwd: '/' })
  t.teardown(() => bystander.kill('SIGKILL'))
  await once(bystander, 'spawn')
  return bystander
}
