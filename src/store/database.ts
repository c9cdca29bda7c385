// The pool and Kysely over it. Everything that talks to PostgreSQL gets a Db as an argument.
import { Socket } from 'node:net'
import { Kysely, PostgresDialect } from 'kysely'
import type { Transaction } from 'kysely'
import pg from 'pg'
import type { Logger } from '../logger.ts'
import { prepareStatements } from './prepare-statements.ts'
import type { Database } from './tables.ts'

/** A database, or a transaction on it. */
export type Db = Kysely<Database>
export type Tx = Transaction<Database>

export interface DatabaseOptions {
  readonly url: string
  readonly poolSize: number
  readonly logger: Logger
  /** Through a transaction pooler, which refuses time-outs as settings of a connection; they are set on the role then. */
  readonly isPooled?: boolean
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string
  /** For migrations, which may take hours: neither a statement nor the silence while it runs is bounded. Default false. */
  readonly isPatient?: boolean
  /** A connection on which a statement has waited that long for any byte is given up. Default 35,000. */
  readonly silenceTimeoutMs?: number
}

export interface DatabaseHandle {
  readonly db: Db
  /** Requests that wait for a connection of the pool right now. */
  waiting(): number
  close(): Promise<void>
}

// A caller that cannot get a connection in 5 s is told so while Reten still waits (its time-out is unknown, 10 s assumed).
const CONNECT_TIMEOUT_MS = 5_000
// No statement of ours takes seconds; one that does holds locks that others need.
const STATEMENT_TIMEOUT_MS = 30_000
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 15_000
const TIMEOUTS = {
  statement_timeout: STATEMENT_TIMEOUT_MS,
  idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
}
// A server that vanished without a word (power, a cut network) never answers, and the kernel tells after a quarter of an hour.
// Above the server's own time-out for a statement, so that only silence is meant.
const SILENCE_TIMEOUT_MS = 35_000
// Below the one for silence: a connection that rests is closed before it could be taken for a dead one.
const IDLE_TIMEOUT_MS = 30_000

// After a fail-over a connection may have ended at a server that takes no writes: none is kept for ever.
const MAX_LIFETIME_SECONDS = 300

// The kernel's own is two hours.
const KEEP_ALIVE_DELAY_MS = 10_000

const BIGINT_OID = 20
const DATE_OID = 1082

/** Opens a pool; connects on first use. A connection that dies while idle is logged, and the next use opens another. */
export function openDatabase(options: DatabaseOptions): DatabaseHandle {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    application_name: options.applicationName ?? 'reten-dispatch-receiver',
    ...(options.isPooled === true || options.isPatient === true ? {} : TIMEOUTS),
    types: { getTypeParser },
  })
  // Without a listener an idle connection's error would end the process.
  pool.on('error', (error) =>
    options.logger.warn({ event: 'database.connection_lost', err: error }, 'idle connection lost'),
  )
  pool.on('connect', (client) => {
    // A connection that breaks while it is in use has no listener of the pool's: the statement under way is rejected with
    // the same error, and without this line the process would end as well.
    client.on('error', () => {})
    if (options.isPatient !== true) endInSilence(client, options.silenceTimeoutMs ?? SILENCE_TIMEOUT_MS)
  })
  const dialect = new PostgresDialect({ pool: options.isPooled === true ? pool : prepareStatements(pool) })
  const db = new Kysely<Database>({ dialect })
  return { db, waiting: () => pool.waitingCount, close: () => db.destroy() }
}

/** pg has no time-out that also ends the connection, so the socket's own is used; pg does not publish the socket. */
function endInSilence(client: object, timeoutMs: number): void {
  if (!('connection' in client) || typeof client.connection !== 'object' || client.connection === null) return
  const { connection } = client
  if (!('stream' in connection) || !(connection.stream instanceof Socket)) return
  const { stream } = connection
  stream.setTimeout(timeoutMs, () => {
    const error = new Error(`the database has not said anything for ${timeoutMs} ms`)
    stream.destroy(Object.assign(error, { code: 'ETIMEDOUT' }))
  })
}

// bigint as number: ids and sequences stay far below 2^53. date as text: a day has no time zone to be shifted by.
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') => {
  if (oid === BIGINT_OID) return Number
  if (oid === DATE_OID) return String
  return pg.types.getTypeParser(oid, format)
}
