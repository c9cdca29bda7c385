// Work that comes back by the clock, as a service: never twice at once in one process, and at once where a guard says so. A run
// that does not come back is given up, logged and shown as the service's fault; the next time comes all the same.
import { Cron } from 'croner'
import type { Logger } from './logger.ts'
import type { Service } from './services.ts'
import { LateError, within } from './time.ts'

export interface PeriodicOptions {
  readonly name: string
  /** Cron with seconds, UTC: `*\u002f5 * * * * *` is every five seconds. */
  readonly pattern: string
  readonly run: () => Promise<unknown>
  readonly logger: Logger
  /** Whether this instance's turn it is; default: always. */
  readonly guard?: () => Promise<boolean>
  /** Milliseconds a run may take before it is given up for lost; default 120,000. */
  readonly timeoutMs?: number
}

// Above everything that ends by itself: a few statements, each of them at its own bound.
const TIMEOUT_MS = 120_000

/** Builds the service. A run that fails is logged, shown as the service's fault, and tried again at the next time. */
export function createPeriodic(options: PeriodicOptions): Service {
  const { name, logger, timeoutMs = TIMEOUT_MS } = options
  let fault: string | undefined
  let underWay: Promise<void> = Promise.resolve()

  const work = async (): Promise<void> => {
    if (options.guard === undefined || (await options.guard())) await options.run()
  }

  const turn = async (): Promise<void> => {
    try {
      await within(work(), timeoutMs, `a run has not come back within ${timeoutMs} ms`)
      fault = undefined
    } catch (error) {
      fault = error instanceof Error ? error.message : String(error)
      const level = error instanceof LateError ? 'error' : 'warn'
      logger[level]({ event: 'periodic.failed', task: name, err: error }, `${name} did not run`)
    }
  }

  const job = new Cron(options.pattern, { paused: true, protect: true, timezone: 'UTC', unref: true }, () => {
    underWay = turn()
    return underWay
  })
  return {
    name,
    start: () => {
      job.resume()
    },
    stop: async () => {
      job.stop()
      await underWay
    },
    fault: () => fault,
  }
}
