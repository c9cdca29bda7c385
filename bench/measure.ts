// One measurement: a new database, a new process, load upon it, what it used meanwhile, and whether everything it
// acknowledged is there.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { DatabaseServer } from './database-server.ts'
import { pushActivities } from './load.ts'
import type { LoadPlan, LoadResult } from './load.ts'
import { cpuBetween, readCpu, readUsage } from './process-usage.ts'
import { KEY } from './targets.ts'
import type { Target } from './targets.ts'

export interface Measurement extends LoadResult {
  /** Undefined where the system does not tell. */
  readonly peakMemoryBytes: number | undefined
  /** CPU time of the process, of PostgreSQL and of the load generator within the measured time, in cores. */
  readonly processCores: number | undefined
  readonly databaseCores: number | undefined
  readonly generatorCores: number
}

const READY_TIMEOUT_MS = 20_000

/** Measures a target once. Throws when an answer was not a success or an acknowledged activity is not stored. */
export async function measure(
  target: Target,
  server: DatabaseServer,
  load: Omit<LoadPlan, 'port' | 'key'>,
): Promise<Measurement> {
  const { database } = target
  const url = database === undefined ? undefined : await server.create(database.name)
  if (url !== undefined) await database?.prepare(url)
  const port = await freePort()
  const child = start(target, port, url)
  try {
    await untilReady(port, child)
    const measurement = await pushAndWatch(child.pid ?? 0, server, { ...load, port, key: KEY })
    if (measurement.refused > 0) throw new Error(`${target.title} refused ${measurement.refused} requests`)
    if (database !== undefined) {
      const stored = await server.count(database.name, database.stored)
      const { acknowledged } = measurement
      if (stored !== acknowledged) throw new Error(`${target.title} acknowledged ${acknowledged}, stored ${stored}`)
    }
    return measurement
  } finally {
    await end(child)
    if (database !== undefined) await server.drop(database.name)
  }
}

async function pushAndWatch(pid: number, server: DatabaseServer, plan: LoadPlan): Promise<Measurement> {
  const backends = await server.processes()
  let before = { process: readUsage(pid)?.cpuMs, database: readCpu(backends) }
  let after = before
  let generatorCpuMs = 0
  // The backends are asked for once load is on, so that those the load opened are among them.
  let known = Promise.resolve(backends)
  const result = await pushActivities(plan, {
    onMeasuring: () => {
      known = server.processes()
      void known.then((pids) => {
        before = { process: readUsage(pid)?.cpuMs, database: readCpu(pids) }
      })
    },
    onMeasured: (cpuMs) => {
      generatorCpuMs = cpuMs
      after = { process: readUsage(pid)?.cpuMs, database: readCpu([...before.database.keys()]) }
    },
  })
  const isKnown = before.process !== undefined && after.process !== undefined
  return {
    ...result,
    peakMemoryBytes: readUsage(pid)?.peakBytes,
    processCores: isKnown ? ((after.process ?? 0) - (before.process ?? 0)) / plan.durationMs : undefined,
    databaseCores: isKnown ? cpuBetween(before.database, after.database) / plan.durationMs : undefined,
    generatorCores: generatorCpuMs / plan.durationMs,
  }
}

function start(target: Target, port: number, url: string | undefined): ChildProcess {
  return spawn(process.execPath, [...(target.nodeFlags ?? []), fileURLToPath(new URL(target.file, import.meta.url))], {
    cwd: tmpdir(), // away from a .env, whose settings would be measured instead of these
    env: {
      PATH: process.env['PATH'],
      ...target.environment,
      PORT: String(port),
      ...(url === undefined ? {} : { DATABASE_URL: url }),
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await gone
}

async function untilReady(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode} before it was ready`)
    const isReady = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      (answer) => answer.ok,
      () => false, // not listening yet
    )
    if (isReady) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`not ready after ${READY_TIMEOUT_MS} ms`)
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', () => resolve(undefined)))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port is free')
  return address.port
}
