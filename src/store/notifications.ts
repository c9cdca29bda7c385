// Waking other processes: NOTIFY after the commit, never inside it (a pending NOTIFY takes a lock over the whole database at
// commit), at most every 50 ms; LISTEN on a connection of its own that comes back by itself. Polling stands behind both, so a
// lost notification costs a second.
import { Socket } from 'node:net'
import pg from 'pg'
import { sql } from 'kysely'
import type { Logger } from '../logger.ts'
import type { Service } from '../services.ts'
import { pause } from '../time.ts'
import type { Db } from './database.ts'
import type { JobKind } from './tables.ts'

const CHANNEL = 'reten_dispatch_receiver'
const NOTIFY_INTERVAL_MS = 50
const MAX_BACKOFF_MS = 10_000
const CONNECT_TIMEOUT_MS = 10_000
// Nothing may be said here for hours: only the kernel's probes tell a quiet connection from one whose other end has vanished.
const KEEP_ALIVE_DELAY_MS = 10_000

export interface Notifier {
  /** Tells other processes that jobs of this kind may be due. Cheap; many calls become one. */
  notify(kind: JobKind): void
}

/** Builds a notifier on the pool. A notification that cannot be sent is dropped: polling finds the work. */
export function createNotifier(db: Db, logger: Logger): Notifier {
  const pending = new Set<JobKind>()
  let timer: NodeJS.Timeout | undefined
  const send = async (): Promise<void> => {
    const kinds = [...pending]
    pending.clear()
    try {
      for (const kind of kinds) await sql`select pg_notify(${CHANNEL}, ${kind})`.execute(db)
    } catch (error) {
      logger.debug({ event: 'notify.failed', err: error }, 'a notification was dropped')
    }
    timer = undefined
    if (pending.size > 0) schedule()
  }
  const schedule = (): void => {
    timer = setTimeout(() => void send(), NOTIFY_INTERVAL_MS)
    timer.unref()
  }
  return {
    notify: (kind) => {
      pending.add(kind)
      if (timer === undefined) schedule()
    },
  }
}

export interface ListenerDeps {
  /** A direct address: LISTEN does not pass through a transaction pooler. */
  readonly url: string
  readonly logger: Logger
  readonly onNotified: (kind: JobKind) => void
}

/** Builds the listening service; after each reconnection every kind is nudged once, since something may have been missed. */
export function createListener(deps: ListenerDeps): Service {
  const stopping = new AbortController()
  let loop: Promise<void> | undefined
  let fault: string | undefined = 'not connected yet'

  const session = async (): Promise<void> => {
    // Ours, so that a connection can be ended whatever state it is in, that of being opened included.
    const socket = new Socket()
    const hangUp = (): void => void socket.destroy()
    const client = new pg.Client({
      connectionString: deps.url,
      stream: () => socket,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
      application_name: 'reten-dispatch-listener',
    })
    const ended = new Promise<void>((resolve) => {
      client.on('end', resolve)
      client.on('error', (error) => {
        fault = error.message
        resolve()
      })
    })
    stopping.signal.addEventListener('abort', hangUp, { once: true })
    try {
      await client.connect()
      await client.query(`listen ${CHANNEL}`)
      fault = undefined
      client.on('notification', ({ payload }) => {
        if (payload === 'deliver' || payload === 'report') deps.onNotified(payload)
      })
      deps.onNotified('deliver')
      deps.onNotified('report')
      await ended
    } finally {
      stopping.signal.removeEventListener('abort', hangUp)
      hangUp()
    }
  }

  const run = async (): Promise<void> => {
    let backoffMs = 100
    while (!stopping.signal.aborted) {
      try {
        await session()
        backoffMs = 100
      } catch (error) {
        fault = error instanceof Error ? error.message : String(error)
      }
      if (stopping.signal.aborted) return
      deps.logger.warn({ event: 'listen.lost', fault, backoffMs }, 'not listening, polling instead')
      await pause(backoffMs, stopping.signal)
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS)
    }
  }

  return {
    name: 'listen',
    start: () => {
      loop = run()
    },
    stop: async () => {
      stopping.abort() // which ends the session
      await loop
    },
    fault: () => fault,
  }
}
