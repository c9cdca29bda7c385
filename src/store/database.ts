// The pool and Kysely over it. Everything that talks to PostgreSQL gets a Db as an argument.
import { EventEmitter } from 'node:events'
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
  /** How long a caller waits for a connection. Default 5,000. */
  readonly connectTimeoutMs?: number
  /** How long the server works on one statement. Default 30,000; not through a pooler. */
  readonly statementTimeoutMs?: number
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
// A server that vanished without a word (power, a cut network) never answers, and the kernel tells after a quarter of an hour.
// Above the server's own time-out for a statement, so that only silence is meant.
const SILENCE_TIMEOUT_MS = 35_000
const IDLE_TIMEOUT_MS = 30_000

// After a fail-over a connection may have ended at a server that takes no writes: none is kept for ever.
const MAX_LIFETIME_SECONDS = 300

// The kernel's own is two hours.
const KEEP_ALIVE_DELAY_MS = 10_000

// read_only_sql_transaction: after a fail-over this is what the server says that was the primary.
const TAKES_NO_WRITES = '25006'

const BIGINT_OID = 20
const DATE_OID = 1082

/**
 * Opens a pool; connects on first use. It mends itself: a connection that dies while idle is logged, one that falls silent or
 * whose server takes no writes is given up, and the next use opens another.
 */
export function openDatabase(options: DatabaseOptions): DatabaseHandle {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize,
    connectionTimeoutMillis: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
    idleTimeoutMillis: IDLE_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    application_name: options.applicationName ?? 'reten-dispatch-receiver',
    ...serverTimeouts(options),
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
  })
  giveUpReadOnly(pool)
  if (options.isPatient !== true) giveUpSilent(pool, options.silenceTimeoutMs ?? SILENCE_TIMEOUT_MS)
  const dialect = new PostgresDialect({ pool: options.isPooled === true ? pool : prepareStatements(pool) })
  const db = new Kysely<Database>({ dialect })
  return { db, waiting: () => pool.waitingCount, close: () => db.destroy() }
}

function serverTimeouts(options: DatabaseOptions): pg.PoolConfig {
  if (options.isPooled === true || options.isPatient === true) return {}
  return {
    statement_timeout: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
  }
}

/** The same address leads to another server by now: whatever stays connected to this one writes nothing any more. */
function giveUpReadOnly(pool: pg.Pool): void {
  pool.on('connect', (client) => {
    wireOf(client)?.on('errorMessage', (message: { readonly code?: string }) => {
      // The statement has been told by now; a pool keeps no client that is ending.
      if (message.code === TAKES_NO_WRITES) void client.end().catch(() => {})
    })
  })
}

/** pg has no time-out that also ends the connection, so the socket's own is used, while the connection is in use. */
function giveUpSilent(pool: pg.Pool, timeoutMs: number): void {
  pool.on('connect', (client) => {
    const stream = wireOf(client)?.stream
    stream?.on('timeout', () => {
      const error = new Error(`the database has not said anything for ${timeoutMs} ms`)
      stream.destroy(Object.assign(error, { code: 'ETIMEDOUT' }))
    })
  })
  pool.on('acquire', (client) => wireOf(client)?.stream.setTimeout(timeoutMs))
  pool.on('release', (_error, client) => wireOf(client)?.stream.setTimeout(0))
}

type Wire = EventEmitter & { readonly stream: Socket }

/** pg's connection below a client and its socket, neither of which its types publish. */
function wireOf(client: object): Wire | undefined {
  return 'connection' in client && isWire(client.connection) ? client.connection : undefined
}

function isWire(value: unknown): value is Wire {
  return value instanceof EventEmitter && 'stream' in value && value.stream instanceof Socket
}

// bigint as number: ids and sequences stay far below 2^53. date as text: a day has no time zone to be shifted by.
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') => {
  if (oid === BIGINT_OID) return Number
  if (oid === DATE_OID) return String
  return pg.types.getTypeParser(oid, format)
}
