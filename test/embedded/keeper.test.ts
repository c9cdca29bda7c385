// No process of a server may outlive its owner. Processes are found in /proc, so these tests run on Linux.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import {
  findKeeper,
  findServer,
  prepareDirectories,
  processesIn,
  query,
  SLOW_TEST_MS,
  startOwner,
  until,
} from './embedded-fixture.ts'
import type { OwnerEnd } from './owner.ts'

const skip = process.platform === 'linux' ? false : 'needs /proc'
t.setTimeout(SLOW_TEST_MS)

t.test('keeper', { skip }, async (t) => {
  const createPrepared = await prepareDirectories(t)

  const ends: readonly [OwnerEnd, NodeJS.Signals | undefined, string][] = [
    ['return', undefined, 'has nothing left to do'],
    ['exit', undefined, 'exits'],
    ['throw', undefined, 'throws'],
    ['none', 'SIGINT', 'is interrupted'],
    ['none', 'SIGTERM', 'is terminated'],
    ['none', 'SIGHUP', 'loses its terminal'],
    ['none', 'SIGKILL', 'is killed'],
  ]
  // One directory for all: an orderly end leaves it as it was.
  const options = createPrepared(t)
  const { directory } = options
  for (const [end, signal, what] of ends) {
    t.test(`leaves no process behind and shuts down orderly when its owner ${what}`, async (t) => {
      const owner = await startOwner(t, options, end)
      await query(owner.url, 'select 1')

      await owner.end(signal)

      await until(() => processesIn(directory).length === 0, 'the end of all processes')
      t.notOk(existsSync(join(directory, 'data', 'postmaster.pid')))
    })
  }

  t.test('outlives Ctrl-C until the owner has drained', async (t) => {
    const options = createPrepared(t)
    const { directory } = options
    const owner = await startOwner(t, options, 'deaf')

    // What a terminal does: a signal to every process of the foreground group.
    process.kill(-owner.pid, 'SIGINT')

    t.strictSame(await query(owner.url, 'select 1 as one'), [{ one: 1 }])
    t.ok(findKeeper(directory))
  })

  t.test('outlives a service manager that terminates every process', async (t) => {
    const options = createPrepared(t)
    const { directory } = options
    const owner = await startOwner(t, options, 'return')

    process.kill(findKeeper(directory), 'SIGTERM')
    await owner.end()

    await until(() => processesIn(directory).length === 0, 'the end of all processes')
    t.notOk(existsSync(join(directory, 'data', 'postmaster.pid')))
  })

  t.test('gives up a start whose owner is killed in the middle of it', async (t) => {
    const options = createPrepared(t)
    const { directory } = options
    const program = fileURLToPath(new URL('owner.ts', import.meta.url))
    const owner = spawn(process.execPath, [program, JSON.stringify({ options, end: 'none' })])
    t.teardown(() => owner.kill('SIGKILL'))
    await until(() => findServer(directory) > 0, 'the server to be on its way')

    owner.kill('SIGKILL')

    await until(() => processesIn(directory).length === 0, 'the end of all processes')
    t.notOk(existsSync(join(directory, 'data', 'postmaster.pid')))
  })
})
