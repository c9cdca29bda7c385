// Work that comes back by the clock, as a service: never twice at once in one process, and at once where a guard says so.
import { Cron } from 'croner'
import type { Logger } from './logger.ts'
import type { Service } from './services.ts'

export interface PeriodicOptions {
  readonly name: string
  /** Cron with seconds, UTC: `*\u002f5 * * * * *` is every five seconds. */
  readonly pattern: string
  readonly run: () => Promise<unknown>
  readonly logger: Logger
  /** Whether this instance's turn it is; default: always. */
  readonly guard?: () => Promise<boolean>
}

/** Builds the service. A run that fails is logged, shown as the service's fault, and tried again at the next time. */
export function createPeriodic(options: PeriodicOptions): Service {
  const { name, logger } = options
  let fault: string | undefined
  let underWay: Promise<void> = Promise.resolve()

  const turn = async (): Promise<void> => {
    try {
      if (options.guard === undefined || (await options.guard())) await options.run()
      fault = undefined
    } catch (error) {
      fault = error instanceof Error ? error.message : String(error)
      logger.warn({ event: 'periodic.failed', task: name, err: error }, `${name} did not run`)
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
