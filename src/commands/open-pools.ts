// Three pools instead of one, so that what is stuck in one part takes no connection from another.
//
//   accepting   the inbox, webhooks, keys: short statements on behalf of somebody who waits
//   working     loops, periodic work, operators: may take long
//   vital       leases and readiness: must get through however busy the others are
import type { Config } from '../config.ts'
import type { Logger } from '../logger.ts'
import { openDatabase } from '../store/database.ts'
import type { DatabaseHandle, DatabaseOptions, Db } from '../store/database.ts'

export interface Pools {
  readonly accepting: DatabaseHandle
  readonly working: DatabaseHandle
  readonly vital: DatabaseHandle
  /** Requests that wait for a connection of any of them. */
  waiting(): number
  close(): Promise<void>
}

/** The pools as those see them who only use them. */
export interface PooledDbs {
  readonly accepting: Db
  readonly working: Db
  readonly vital: Db
}

// Who waits for these gave up long before 30 s: Reten's time-out is unknown, 10 s assumed.
const ACCEPTING_STATEMENT_TIMEOUT_MS = 8_000
const ACCEPTING_SILENCE_TIMEOUT_MS = 9_000
// One for leases, one for whoever asks whether we are ready; what they ask takes milliseconds, and several tries must fit into
// a lease.
const VITAL_CONNECTIONS = 2
const VITAL_CONNECT_TIMEOUT_MS = 2_000
const VITAL_STATEMENT_TIMEOUT_MS = 3_000
const VITAL_SILENCE_TIMEOUT_MS = 3_500

export interface PoolsInput {
  readonly config: Pick<Config, 'databasePoolSize' | 'role'>
  readonly url: string
  readonly isPooled: boolean
  readonly logger: Logger
}

/** Opens the pools; `DATABASE_POOL_SIZE` is divided between accepting and working, the vital ones come on top. */
export function openPools({ config, url, isPooled, logger }: PoolsInput): Pools {
  const open = (options: Omit<DatabaseOptions, 'url' | 'isPooled' | 'logger'>): DatabaseHandle =>
    openDatabase({ ...options, url, isPooled, logger })
  const accepting = open({
    poolSize: Math.max(1, Math.ceil(config.databasePoolSize / 2)),
    statementTimeoutMs: ACCEPTING_STATEMENT_TIMEOUT_MS,
    silenceTimeoutMs: ACCEPTING_SILENCE_TIMEOUT_MS,
  })
  const working = open({ poolSize: Math.max(1, Math.floor(config.databasePoolSize / 2)) })
  const vital = open({
    poolSize: VITAL_CONNECTIONS,
    connectTimeoutMs: VITAL_CONNECT_TIMEOUT_MS,
    statementTimeoutMs: VITAL_STATEMENT_TIMEOUT_MS,
    silenceTimeoutMs: VITAL_SILENCE_TIMEOUT_MS,
    applicationName: 'reten-dispatch-vital',
  })
  const all = [accepting, working, vital]
  return {
    accepting,
    working,
    vital,
    waiting: () => all.reduce((sum, pool) => sum + pool.waiting(), 0),
    close: async () => {
      await Promise.all(all.map((pool) => pool.close()))
    },
  }
}
