import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'

const TRY_AGAIN_MS = 1_000

/** Many clients that each take a session, keep it idle, and try again every second where they get none. */
export function startGreedy(url: string, count: number): { readonly end: () => Promise<void> } {
  const ending = new AbortController()
  const isOver = (): boolean => ending.signal.aborted
  const take = async (): Promise<void> => {
    while (!isOver()) {
      await holdOne(url, ending.signal)
      await pause(TRY_AGAIN_MS, undefined, { signal: ending.signal }).catch(() => {})
    }
  }
  const all = Array.from({ length: count }, take)
  return {
    end: async () => {
      ending.abort()
      await Promise.all(all)
    },
  }
}

/** Resolves when the session is over, or where there is no slot for one. */
async function holdOne(url: string, signal: AbortSignal): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'greedy' })
  const gone = new Promise<void>((resolve) => {
    client.once('end', () => resolve())
    client.on('error', () => resolve())
  })
  try {
    await client.connect()
  } catch {
    return // no slot is free: the caller tries again
  }
  const end = (): void => void client.end().catch(() => {}) // it may have been ended for us
  if (signal.aborted) end()
  else signal.addEventListener('abort', end, { once: true })
  await gone
  signal.removeEventListener('abort', end)
}
