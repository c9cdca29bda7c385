// Long-running parts share one small contract, are started in order and stopped together, each stop within a bound.
import type { Logger } from 'pino'
import { within } from './time.ts'

/** A part that runs until it is stopped. `stop` finishes what was begun and gives the rest back. */
export interface Service {
  readonly name: string
  start(): Promise<void> | void
  stop(): Promise<void>
  /** Undefined while well, else one sentence that says what is wrong. */
  fault(): string | undefined
}

/** Starts services in order; when one fails to start, those already started are stopped before the error is passed on. */
export async function startServices(services: readonly Service[]): Promise<void> {
  const started: Service[] = []
  for (const service of services) {
    try {
      await service.start()
    } catch (error) {
      for (const other of started.toReversed()) await stopQuietly(other)
      throw error
    }
    started.push(service)
  }
}

/**
 * Stops services side by side: each finishes what it began, and none waits for another's grace. A stop that takes longer than
 * `timeoutMs` is logged and left behind, so that one stuck part cannot keep the process from ending.
 */
export async function stopServices(services: readonly Service[], timeoutMs: number, logger: Logger): Promise<void> {
  await Promise.all(
    services.map(async (service) => {
      try {
        await within(service.stop(), timeoutMs, `not stopped after ${timeoutMs} ms`)
      } catch (error) {
        logger.error(
          { event: 'service.stop_failed', service: service.name, err: error },
          `${service.name} did not stop`,
        )
      }
    }),
  )
}

/** On the way back from a start that did not succeed: why it did not is what has to be told, whatever else goes wrong. */
async function stopQuietly(service: Service): Promise<void> {
  try {
    await service.stop()
  } catch {
    // see above
  }
}
