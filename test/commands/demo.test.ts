import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { request } from 'undici'
import { dataDirectoryOf } from '../../src/embedded/create-cluster.ts'
import { ownerFileOf } from '../../src/embedded/find-running.ts'
import { isAlive, readPostmaster } from '../../src/embedded/postmaster-file.ts'
import { prepareHome } from '../../src/embedded/server-home.ts'
import { until } from '../support/ledger.ts'
import { runProgram } from './run-program.ts'
import { REQUIRE_NODE } from '../support/service-process.ts'

const DEMO = fileURLToPath(new URL('../../src/commands/demo.ts', import.meta.url))
const DATA = fileURLToPath(new URL('../../.data/', import.meta.url))
/** A database made anew, a service started, fifty activities worked on for up to a second and a half each; on a busy machine. */
const DEMO_TIMEOUT_MS = 60_000

t.setTimeout(2 * DEMO_TIMEOUT_MS)

interface Demo {
  readonly child: ChildProcess
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
  /** What belongs to it and has to end with it, once all of it is up. */
  untilUp(): Promise<{ readonly addresses: readonly string[]; readonly postgres: number }>
}

function startDemo(t: Test, args: readonly string[]): Demo {
  const child = spawn(process.execPath, ['-r', REQUIRE_NODE, DEMO, ...args], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const code = new Promise<number | null>((resolve) => child.once('close', resolve))
  const logFile = join(DATA, `demo-service-${child.pid}.log`)
  t.teardown(async () => {
    child.kill('SIGTERM')
    await code
    rmSync(logFile, { force: true })
  })
  const ended = Promise.all([code, text(child.stdout), text(child.stderr)]).then(([code, stdout, stderr]) => ({
    code,
    stdout,
    stderr,
  }))
  const untilUp: Demo['untilUp'] = async () => {
    let addresses: readonly string[] = []
    await until(() => (addresses = readAddresses(logFile)).length > 0, DEMO_TIMEOUT_MS)
    const postgres = findPostgresOf(child.pid ?? 0)
    if (postgres === undefined) throw new Error('the demo has no database of its own')
    return { addresses, postgres }
  }
  return { child, ended, untilUp }
}

/** Both listeners of the demo's service, once it has said where they are. */
function readAddresses(logFile: string): readonly string[] {
  if (!existsSync(logFile)) return []
  const line = readFileSync(logFile, 'utf8')
    .split('\n')
    .find((one) => one.includes('"service.started"') && one.endsWith('}'))
  if (line === undefined) return []
  // Written by the service, as one JSON object a line.
  const { public: publicUrl, operators } = JSON.parse(line) as { readonly public: string; readonly operators: string }
  return [publicUrl, operators]
}

/** The PostgreSQL that a process owns, among those of all demos of this checkout. */
function findPostgresOf(pid: number): number | undefined {
  for (const name of readdirSync(DATA).filter((entry) => /^demo(-\w+)?$/.test(entry))) {
    const home = prepareHome(join(DATA, name))
    if (!existsSync(ownerFileOf(home)) || Number(readFileSync(ownerFileOf(home), 'utf8')) !== pid) continue
    return readPostmaster(dataDirectoryOf(home))?.pid
  }
  return undefined
}

async function isReachable(address: string): Promise<boolean> {
  try {
    await (await request(`${address}/livez`)).body.dump()
    return true
  } catch {
    return false // nobody listens: that is what is asked
  }
}

t.test('npm run demo', async (t) => {
  t.test('does the main job whole, counts nothing lost and nothing doubled, and leaves nothing running', async (t) => {
    const demo = startDemo(t, ['--activities', '50', '--exit', '--json'])
    const { addresses, postgres } = await demo.untilUp()

    const { code, stdout, stderr } = await demo.ended

    const lines = stdout.trimEnd().split('\n')
    t.match(JSON.parse(lines.at(-1) ?? ''), {
      dispatched: 50,
      acknowledged: 50,
      stored: 50,
      delivered: 50,
      reported: 50,
      registered: 50,
      duplicates: 0,
      parked: 0,
      lost: 0,
      doubled: 0,
      seconds: Number,
    })
    t.equal(code, 0)
    t.equal(lines.length, 1, 'nothing but the counts on standard output')
    t.match(stderr, /back at Reten 50\/50/)
    t.strictSame(await Promise.all(addresses.map(isReachable)), [false, false])
    await until(() => !isAlive(postgres))
  })

  t.test('that is interrupted says so and leaves nothing running', async (t) => {
    const demo = startDemo(t, ['--activities', '5000', '--rate', '20', '--exit', '--json'])
    const { addresses, postgres } = await demo.untilUp()
    t.strictSame(await Promise.all(addresses.map(isReachable)), [true, true])

    demo.child.kill('SIGINT')

    const { code, stdout, stderr } = await demo.ended
    t.equal(code, 130)
    t.equal(stdout, '')
    t.match(stderr, /interrupted: \d+ of 5000/)
    t.strictSame(await Promise.all(addresses.map(isReachable)), [false, false])
    await until(() => !isAlive(postgres))
  })

  t.test('refuses a wrong option in a sentence and with exit code 1', async (t) => {
    const { code, stdout, stderr } = await runProgram(t, 'demo', ['--activites', '50'], {})

    t.equal(code, 1)
    t.match(stderr, /unknown option '--activites'/)
    t.notMatch(stderr, /^\s+at /m)
    t.equal(stdout, '')
  })
})
