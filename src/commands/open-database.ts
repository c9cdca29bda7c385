// The database a command works on: DATABASE_URL, or the embedded one, which a running service shares with its commands.
import { fileURLToPath } from 'node:url'
import type { Config } from '../config.ts'
import { startEmbeddedPostgres } from '../embedded/start-embedded-postgres.ts'
import { AppError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { openDatabase } from '../store/database.ts'
import type { DatabaseHandle } from '../store/database.ts'
import { errorCode, isDatabaseAway } from '../store/database-errors.ts'
import { checkMigrations, migrate } from '../store/migrate.ts'
import { pause } from '../time.ts'
import { reachDatabase } from '../store/reach-database.ts'

/** Where the embedded database keeps its data: in the project, so that every clone has its own. */
export const EMBEDDED_DIRECTORY = fileURLToPath(new URL('../../.data/postgres', import.meta.url))

export interface DatabaseSource {
  readonly url: string
  /** For LISTEN and migrations. */
  readonly directUrl: string
  readonly isEmbedded: boolean
  /** Stops the embedded server where this process owns it. */
  stop(): Promise<void>
}

export interface CommandDatabase extends DatabaseHandle {
  readonly url: string
}

/** Says which database to use, starting the embedded one where none is configured. */
export async function findDatabase(
  config: Config,
  logger: Logger,
  directory = EMBEDDED_DIRECTORY,
): Promise<DatabaseSource> {
  if (config.databaseUrl !== undefined) {
    const url = config.databaseUrl
    return { url, directUrl: config.databaseDirectUrl ?? url, isEmbedded: false, stop: async () => {} }
  }
  const server = await startEmbeddedPostgres({ directory, logger })
  return { url: server.url, directUrl: server.url, isEmbedded: true, stop: () => server.stop() }
}

/** Opens the database for a command; the schema is checked, and brought up to date on the embedded one. */
export async function openCommandDatabase(config: Config, logger: Logger): Promise<CommandDatabase> {
  const source = await findDatabase(config, logger)
  const { url, directUrl } = source
  const isPooled = url !== directUrl
  const handle = openDatabase({ url, poolSize: 2, logger, isPooled, applicationName: 'reten-dispatch-command' })
  const close = async (): Promise<void> => {
    await handle.close()
    await source.stop()
  }
  try {
    await assertReachable(handle, source.url)
    if (source.isEmbedded) await migrateEmbedded(source.url, logger)
    await checkMigrations(handle.db)
  } catch (error) {
    await close()
    throw error
  }
  return { ...handle, url: source.url, close }
}

/** Brings the embedded database up to date; one that is somebody's own is migrated by "npm run migrate" alone. */
export async function migrateEmbedded(url: string, logger: Logger): Promise<void> {
  const handle = openForMigrations(url, logger)
  try {
    await migrate(handle.db)
  } finally {
    await handle.close()
  }
}

/** A pool of its own for migrations: they take as long as their tables are large. */
export function openForMigrations(url: string, logger: Logger): DatabaseHandle {
  return openDatabase({ url, poolSize: 2, logger, isPatient: true, applicationName: 'reten-dispatch-migrate' })
}

export interface ReachOptions {
  /** One that does not answer is asked again until this is over, since it may be starting as we are; default: asked once. */
  readonly waitMs?: number
  /** Called once, when the waiting begins. */
  readonly onWaiting?: (why: string) => void
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Resolves when the database answers; a refused login is not waited for. Throws RCV_DATABASE_UNAVAILABLE with the host, never the
 * password; RCV_STOPPING where the waiting was ended.
 */
export async function assertReachable(handle: DatabaseHandle, url: string, options: ReachOptions = {}): Promise<void> {
  const { waitMs = 0, signal = new AbortController().signal } = options
  let isTold = false
  const deadline = performance.now() + waitMs
  for (;;) {
    try {
      await reachDatabase(handle.db)
      return
    } catch (error) {
      const isLoginRefused = isRefusedLogin(error)
      if (!isDatabaseAway(error) && !isLoginRefused) throw error
      const why = error instanceof Error && error.message !== '' ? error.message : (errorCode(error) ?? 'no answer')
      if (isLoginRefused || performance.now() > deadline) {
        const message = `the database at ${addressOf(url)} cannot be used: ${why}`
        throw new AppError('RCV_DATABASE_UNAVAILABLE', message, { cause: error })
      }
      if (!isTold) options.onWaiting?.(why)
      isTold = true
    }
    await pause(RETRY_MS, signal)
    if (signal.aborted) throw new AppError('RCV_STOPPING', 'told to stop while it waited for the database')
  }
}

const RETRY_MS = 250

// Class 28: the login was refused; 3D000: there is no such database.
function isRefusedLogin(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && /^(28|3D)/.test(error.code)
}

/** Host, port and name of a database: what may be shown of its address. */
export function addressOf(url: string): string {
  const { hostname, port, pathname } = new URL(url)
  return `${hostname}:${port === '' ? '5432' : port}${pathname}`
}
