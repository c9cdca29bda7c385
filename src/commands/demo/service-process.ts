// The service as the process it is in production, started by the demo and started again should it end unasked.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface ServiceProcess {
  /** Id of the process that runs now. */
  pid(): number | undefined
  /** It stays up from now on: started again should it end. Before, its end is a fault of the start. */
  keepUp(): void
  /** Whether it ended and will not be started again. */
  hasEnded(): boolean
  /** Ends it in order and starts it with other settings added. */
  restart(environment: Readonly<Record<string, string>>): Promise<void>
  /** Ends it by SIGTERM and resolves when it is gone. */
  stop(): Promise<void>
}

export interface ServiceProcessOptions {
  readonly environment: Readonly<Record<string, string>>
  /** Its log, appended to. */
  readonly logFile: string
  readonly onRestart: () => void
}

const REQUIRE_NODE = fileURLToPath(new URL('../require-node.cjs', import.meta.url))
const SERVE = fileURLToPath(new URL('../serve.ts', import.meta.url))
const RESTART_DELAY_MS = 500

/** Starts the service with the settings of `environment` alone. */
export function startServiceProcess(options: ServiceProcessOptions): ServiceProcess {
  const log = createWriteStream(options.logFile, { flags: 'a' })
  let isStopping = false
  let isKeptUp = false
  let hasEnded = false
  let environment = options.environment
  let child: ChildProcess | undefined

  const launch = (): void => {
    child = spawn(process.execPath, ['-r', REQUIRE_NODE, SERVE], {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
      // Not the project: a .env there holds the settings of the user's own service.
      cwd: dirname(options.logFile),
      stdio: ['ignore', 'pipe', 'pipe'],
      // Of its own process group: Ctrl-C reaches the demo alone, which then stops the service in order.
      detached: true,
    })
    child.stdout?.pipe(log, { end: false })
    child.stderr?.pipe(log, { end: false })
    child.once('exit', () => {
      hasEnded = !isKeptUp
      if (isStopping || hasEnded) return
      options.onRestart()
      setTimeout(() => {
        if (!isStopping) launch()
      }, RESTART_DELAY_MS)
    })
  }

  const end = async (): Promise<void> => {
    isStopping = true
    const running = child
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    const gone = new Promise((resolve) => running.once('exit', resolve))
    running.kill('SIGTERM')
    await gone
  }

  launch()
  // Whatever ends the demo ends the service with it.
  process.once('exit', () => child?.kill('SIGKILL'))
  return {
    pid: () => child?.pid,
    keepUp: () => {
      isKeptUp = true
    },
    hasEnded: () => hasEnded,
    restart: async (added) => {
      await end()
      environment = { ...environment, ...added }
      isStopping = false
      launch()
    },
    stop: async () => {
      await end()
      log.end()
    },
  }
}
