// The four lines: how each is started, with which settings, and how what it acknowledged is counted in its database.
import { fileURLToPath } from 'node:url'
import { createSilentLogger } from '../src/logger.ts'
import { openDatabase } from '../src/store/database.ts'
import { migrate } from '../src/store/migrate.ts'

export type TargetName = 'service' | 'no store' | 'pg-boss' | 'graphile-worker'

export interface Target {
  readonly name: TargetName
  /** As the table and the settings name it. */
  readonly title: string
  readonly file: string
  /** Flags of Node it is started with. */
  readonly nodeFlags?: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** What there is to know about how it was configured. */
  readonly settings: string
  /** Undefined: needs no database. */
  readonly database?: {
    readonly name: string
    readonly prepare: (url: string) => Promise<void>
    /** Counts the rows behind its acknowledgements. */
    readonly stored: string
  }
}

/** The key the load generator sends; the peers ignore it. */
export const KEY = 'bench-dispatch-key-0001'

// Both libraries default to 10. graphile-worker's performance guide uses 25; with 25 pg-boss, too, was faster than with 10, and
// with 48 neither was clearly faster still. A partition of its own for the queue made pg-boss slower, so it has none.
const PEER_POOL_SIZE = '25'

// One log line per dispatch is part of the job, so it is written, to the null device.
const APP_ENVIRONMENT = {
  HOST: '127.0.0.1',
  OPS_PORT: '0',
  LOG_LEVEL: 'info',
  RATE_LIMIT_PER_MINUTE: '0',
  DISPATCH_API_KEY: KEY,
  PROVIDER: 'mock',
}

// As `npm start` has it.
const SERVICE_FLAGS = [
  '--max-semi-space-size=8',
  '-r',
  fileURLToPath(new URL('../src/commands/require-node.cjs', import.meta.url)),
]

export const TARGETS: readonly Target[] = [
  {
    name: 'service',
    title: 'this service',
    file: '../src/commands/serve.ts',
    nodeFlags: SERVICE_FLAGS,
    environment: { ...APP_ENVIRONMENT, ROLE: 'http' },
    settings: 'ROLE=http, LOG_LEVEL=info, rate limit off, everything else as it comes (10 database connections)',
    database: { name: 'bench_service', prepare: migrateService, stored: 'select count(*) from dispatches' },
  },
  {
    name: 'no store',
    title: 'same app, no store',
    file: 'no-store.ts',
    nodeFlags: SERVICE_FLAGS,
    environment: APP_ENVIRONMENT,
    settings: 'the same app, authentication, validation, log lines and answer; the inbox forgets at once',
  },
  {
    name: 'pg-boss',
    title: 'Fastify + pg-boss',
    file: 'peer-pg-boss.ts',
    environment: { POOL_SIZE: PEER_POOL_SIZE },
    settings: `send() per request; max ${PEER_POOL_SIZE}, a standard queue, no log, no authentication`,
    database: { name: 'bench_pg_boss', prepare: nothing, stored: 'select count(*) from pgboss.job' },
  },
  {
    name: 'graphile-worker',
    title: 'Fastify + graphile-worker',
    file: 'peer-graphile-worker.ts',
    environment: { POOL_SIZE: PEER_POOL_SIZE },
    settings: `addJob() per request; maxPoolSize ${PEER_POOL_SIZE}, no named queue, no job key, no log, no authentication`,
    database: {
      name: 'bench_graphile',
      prepare: nothing,
      stored: 'select count(*) from graphile_worker._private_jobs',
    },
  },
]

async function migrateService(url: string): Promise<void> {
  const handle = openDatabase({ url, poolSize: 1, logger: createSilentLogger() })
  await migrate(handle.db)
  await handle.close()
}

async function nothing(): Promise<void> {}
