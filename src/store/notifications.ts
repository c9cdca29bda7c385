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
import { JOB_KINDS } from './tables.ts'
import type { JobKind } from './tables.ts'

const CHANNEL = 'reten_dispatch_receiver'
const NOTIFY_INTERVAL_MS = 50
const MAX_BACKOFF_MS = 10_000
const CONNECT_TIMEOUT_MS = 10_000
const KEEP_ALIVE_DELAY_MS = 10_000
// Nothing may be said here for hours, and the kernel takes minutes to notice that the other end has vanished: so it is asked.
const CHECK_INTERVAL_MS = 10_000
const CHECK_TIMEOUT_MS = 5_000

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
  /** Milliseconds between two questions whether the other end is still there. Default 10,000. */
  readonly checkIntervalMs?: number
  /** Milliseconds it has to answer; then the connection is given up. Default 5,000. */
  readonly checkTimeoutMs?: number
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
    let givenUp: string | undefined
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
        fault = givenUp ?? error.message
        resolve()
      })
    })
    stopping.signal.addEventListener('abort', hangUp, { once: true })
    const giveUp = (why: string): void => {
      givenUp ??= why
      hangUp()
    }
    const checking = new AbortController()
    try {
      await client.connect()
      await client.query(`listen ${CHANNEL}`)
      fault = undefined
      client.on('notification', ({ payload }) => {
        const kind = JOB_KINDS.find((known) => known === payload)
        if (kind !== undefined) deps.onNotified(kind)
      })
      for (const kind of JOB_KINDS) deps.onNotified(kind)
      void keepChecking(client, deps, giveUp, checking.signal)
      await ended
    } finally {
      checking.abort()
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

/** Asks again and again whether the server is there and takes writes: one that does not is no longer where others notify. */
async function keepChecking(
  client: pg.Client,
  deps: ListenerDeps,
  giveUp: (why: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { checkIntervalMs = CHECK_INTERVAL_MS, checkTimeoutMs = CHECK_TIMEOUT_MS } = deps
  for (;;) {
    await pause(checkIntervalMs, signal)
    if (signal.aborted) return
    const late = setTimeout(() => giveUp(`no answer within ${checkTimeoutMs} ms`), checkTimeoutMs)
    try {
      const { rows } = await client.query<{ is_standby: boolean }>('select pg_is_in_recovery() as is_standby')
      if (rows[0]?.is_standby === true) giveUp('the server has become a standby')
    } catch (error) {
      giveUp(error instanceof Error ? error.message : String(error))
    } finally {
      clearTimeout(late)
    }
  }
}
