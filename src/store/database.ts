// The pool and Kysely over it. Everything that talks to PostgreSQL gets a Db as an argument.
import { Kysely, PostgresDialect } from 'kysely'
import type { Transaction } from 'kysely'
import pg from 'pg'
import type { Logger } from '../logger.ts'
import type { Database } from './tables.ts'

/** A database, or a transaction on it. */
export type Db = Kysely<Database>
export type Tx = Transaction<Database>

export interface DatabaseOptions {
  readonly url: string
  readonly poolSize: number
  readonly logger: Logger
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string
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

const BIGINT_OID = 20
const DATE_OID = 1082

/** Opens a pool; connects on first use. A connection that dies while idle is logged, and the next use opens another. */
export function openDatabase(options: DatabaseOptions): DatabaseHandle {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    application_name: options.applicationName ?? 'reten-dispatch-receiver',
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    types: { getTypeParser },
  })
  // Without a listener an idle connection's error would end the process.
  pool.on('error', (error) =>
    options.logger.warn({ event: 'database.connection_lost', err: error }, 'idle connection lost'),
  )
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
  return { db, waiting: () => pool.waitingCount, close: () => db.destroy() }
}

// bigint as number: ids and sequences stay far below 2^53. date as text: a day has no time zone to be shifted by.
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') => {
  if (oid === BIGINT_OID) return Number
  if (oid === DATE_OID) return String
  return pg.types.getTypeParser(oid, format)
}
