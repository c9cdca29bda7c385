// Time comes from here or from the database's now(), never from both in one decision.

/** What time it is, in milliseconds since 1970; tests pass their own. */
export interface Clock {
  now(): number
}

export const systemClock: Clock = Object.freeze({ now: () => Date.now() })

export const SECOND_MS = 1_000
export const MINUTE_MS = 60 * SECOND_MS
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

/** Resolves after `ms`, or at once when `signal` aborts; it never rejects, so a loop can end by looking at its signal. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    signal.addEventListener('abort', finish, { once: true })
  })
}

/** Work that has not come back in time. */
export class LateError extends Error {}

/** What `work` comes to; rejects with a LateError of these words when that takes longer than `timeoutMs`. The work goes on. */
export async function within<T>(work: Promise<T>, timeoutMs: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new LateError(message)), timeoutMs)
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    clearTimeout(timer)
  }
}

// Beyond these, ISO 8601 needs a sign that PostgreSQL does not read; PostgreSQL has no year 0.
const EARLIEST_MS = Date.parse('0001-01-01T00:00:00.000Z')
const LATEST_MS = Date.parse('9999-12-31T23:59:59.999Z')

/**
 * An ISO 8601 time as UTC with milliseconds, or undefined where it names no instant (a leap second, a 31st of April) or one
 * outside the years 1 to 9999.
 */
export function toUtc(text: string): string | undefined {
  const ms = Date.parse(text)
  return ms >= EARLIEST_MS && ms <= LATEST_MS ? new Date(ms).toISOString() : undefined
}
