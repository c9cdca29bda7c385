// One instance of the service, as the process it is in production, of this release or of another one.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { untilReady } from '../../src/commands/demo/service-view.ts'
import { findFreePort } from '../../src/embedded/free-port.ts'
import type { Scope } from '../support/scope.ts'

export interface InstanceOptions {
  readonly name: string
  /** The folder of the release whose code runs. */
  readonly release: string
  /** Everything it is told; its ports are chosen here. */
  readonly settings: Readonly<Record<string, string>>
  /** Where its log goes. */
  readonly directory: string
}

export interface Instance {
  readonly name: string
  readonly pid: number
  readonly publicUrl: string
  readonly opsUrl: string
  /** Sends a signal and resolves when the process is gone, with how it ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<InstanceEnd>
}

export interface InstanceEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

// A start takes about a second; among others who use the machine, several.
const READY_TIMEOUT_MS = 40_000
// Between asking for a free port and listening on it somebody else may be given it.
const MAX_TRIES = 3

/** Starts an instance and resolves when it is ready; killed when `scope` ends. */
export async function startInstance(scope: Scope, options: InstanceOptions): Promise<Instance> {
  const logFile = join(options.directory, `${options.name}.log`)
  for (let number = 1; ; number += 1) {
    const instance = await launch(scope, options, logFile)
    if (await untilReady(instance.publicUrl, READY_TIMEOUT_MS, instance.hasEnded)) return instance
    await instance.end('SIGKILL')
    if (number === MAX_TRIES) throw new Error(`${options.name} did not become ready:\n${tailOf(logFile)}`)
  }
}

async function launch(
  scope: Scope,
  options: InstanceOptions,
  logFile: string,
): Promise<Instance & { readonly hasEnded: () => boolean }> {
  const [port, opsPort] = [await findFreePort(), await findFreePort()]
  const log = openSync(logFile, 'a')
  const child = spawn(
    process.execPath,
    ['-r', join(options.release, 'src/commands/require-node.cjs'), join(options.release, 'src/commands/serve.ts')],
    {
      cwd: options.directory, // away from the checkout's .env
      env: { ...options.settings, HOST: '127.0.0.1', PORT: String(port), OPS_PORT: String(opsPort) },
      stdio: ['ignore', log, log],
      // Of its own process group: Ctrl-C reaches us alone, and we end it.
      detached: true,
    },
  )
  closeSync(log)
  let hasEnded = false
  const ended = new Promise<InstanceEnd>((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null }))
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  void ended.then(() => (hasEnded = true))
  const end = async (signal: NodeJS.Signals): Promise<InstanceEnd> => {
    child.kill(signal)
    const how = await ended
    process.off('exit', onExit)
    return how
  }
  const onExit = (): void => void child.kill('SIGKILL')
  process.once('exit', onExit)
  scope.teardown(() => end('SIGKILL'))
  return {
    name: options.name,
    pid: child.pid ?? 0,
    publicUrl: `http://127.0.0.1:${port}`,
    opsUrl: `http://127.0.0.1:${opsPort}`,
    end,
    hasEnded: () => hasEnded,
  }
}

function tailOf(logFile: string): string {
  return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-5).join('\n')
}
