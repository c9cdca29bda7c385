// The service as the process it is in production: started from its settings alone, watched by its log, ended by signals.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { until } from './ledger.ts'
import type { Scope } from './scope.ts'

// Preloaded as npm start does it: a process that finds compiled code starts in a third of the time.
export const REQUIRE_NODE = fileURLToPath(new URL('../../src/commands/require-node.cjs', import.meta.url))
const SERVE = fileURLToPath(new URL('../../src/commands/serve.ts', import.meta.url))
/** A start takes about a second, on a busy machine several. */
const START_TIMEOUT_MS = 25_000

export type Settings = Readonly<Record<string, string>>

/** How a process ended. */
export interface ServiceEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ServiceProcess {
  readonly pid: number
  /** What it logged so far, oldest first; lines that are no JSON under `text`. */
  readonly lines: Record<string, unknown>[]
  /** What it said on standard error so far. */
  stderr(): string
  /** Its first line of this event, once it is there. */
  logged(event: string): Promise<Record<string, unknown>>
  kill(signal: NodeJS.Signals): void
  readonly ended: Promise<ServiceEnd>
}

export interface StartedService extends ServiceProcess {
  readonly publicUrl: string
  readonly opsUrl: string
}

export interface ServiceOptions {
  /** The path of a module that the process loads before anything else. */
  readonly preload?: string | undefined
  /** Default 25 s. */
  readonly startTimeoutMs?: number
}

/** Starts the service with these settings and no others; killed when `t` ends. */
export async function spawnService(
  t: Scope,
  settings: Settings,
  options: ServiceOptions = {},
): Promise<ServiceProcess> {
  const { preload, startTimeoutMs = START_TIMEOUT_MS } = options
  // A folder of its own, so that no .env of the checkout is read.
  const cwd = await mkdtemp(join(tmpdir(), 'receiver-service-'))
  t.teardown(() => rm(cwd, { recursive: true, force: true }))
  const child = spawn(
    process.execPath,
    ['-r', REQUIRE_NODE, ...(preload === undefined ? [] : ['--import', preload]), SERVE],
    {
      cwd,
      env: { PORT: '0', HOST: '127.0.0.1', OPS_PORT: '0', ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const ended = new Promise<ServiceEnd>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return watch(child, ended, startTimeoutMs)
}

/** Starts the service and resolves when both listeners answer. */
export async function startServiceProcess(
  t: Scope,
  settings: Settings,
  options: ServiceOptions = {},
): Promise<StartedService> {
  const service = await spawnService(t, settings, options)
  const started = await Promise.race([service.logged('service.started'), service.ended])
  if (!('public' in started)) throw new Error(`the service did not start:\n${service.stderr()}`)
  return { ...service, publicUrl: String(started['public']), opsUrl: String(started['operators']) }
}

function watch(child: ChildProcess, ended: Promise<ServiceEnd>, startTimeoutMs: number): ServiceProcess {
  const lines: Record<string, unknown>[] = []
  let stderr = ''
  let hasEnded = false
  void ended.then(
    () => (hasEnded = true),
    () => (hasEnded = true),
  )
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => lines.push(readLine(line)))
  const find = (event: string) => lines.find((line) => line['event'] === event)
  return {
    pid: child.pid ?? 0,
    lines,
    stderr: () => stderr,
    logged: async (event) => {
      await until(() => find(event) !== undefined || hasEnded, startTimeoutMs)
      const line = find(event)
      if (line === undefined) throw new Error(`it ended without ${event}:\n${stderr}`)
      return line
    },
    kill: (signal) => void child.kill(signal),
    ended,
  }
}

function readLine(line: string): Record<string, unknown> {
  try {
    // The service logs JSON objects; anything else is caught below.
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return { text: line }
  }
}
