// A real PostgreSQL for a service that was given none: started from the programs npm installed, private to this machine
// and this user, gone when its owner is gone. It does not replace a database that is backed up and watched.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { AppError } from '../errors.ts'
import { passwordFileOf } from './create-cluster.ts'
import { findBinaries } from './find-binaries.ts'
import { findRunning } from './find-running.ts'
import type { KeeperMessage, KeeperOrder } from './keeper-messages.ts'
import { prepareHome, SYSTEM_DIRECTORIES } from './server-home.ts'
import type { ServerHome } from './server-home.ts'
import { DATABASE_NAME, USER_NAME } from './server-settings.ts'
import { startKeeper } from './start-keeper.ts'
import type { Keeper } from './start-keeper.ts'

/** The part of a logger that is used here. */
export interface EmbeddedLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What `startEmbeddedPostgres` is told. */
export interface EmbeddedPostgresOptions {
  /** The server's own directory; made when missing. The same directory finds the same data again. */
  readonly directory: string
  /** Default: silent. */
  readonly logger?: EmbeddedLogger
  /**
   * For tests, default false: faster, and not durable. Nothing is forced to disk, and data that were not shut down
   * orderly are thrown away at the next start.
   */
  readonly isThrowaway?: boolean
  /** Ends the start, and stops what it had started. */
  readonly signal?: AbortSignal
  /** The npm package with the programs, by directory; default: the installed one for this platform. */
  readonly packageDirectory?: string
  /** Where root's data go when the server's account cannot enter `directory`; default /var/lib, else /var/tmp. */
  readonly systemDirectories?: readonly string[]
}

/** A server that accepts connections at `url`. */
export interface EmbeddedPostgres {
  /** Of the service's own database, with user and password: a secret. */
  readonly url: string
  readonly port: number
  /** False when another process owns the server: then `stop` does nothing, and the server ends with that process. */
  readonly isOwner: boolean
  /** Closes all connections and resolves when the server is gone. May be called again. */
  stop(): Promise<void>
}

/** A keeper killed more often than this has an enemy; then the server is left to the next start. */
const MAX_REVIVALS = 5

const silent: EmbeddedLogger = { info: () => undefined, warn: () => undefined, error: () => undefined }

/**
 * Starts the server of a directory, or shares it when a server of another process runs there already.
 *
 * About a second the first time, a tenth of that later. The server listens on 127.0.0.1 only, on the port of its last
 * start when that is free. It ends with the calling process, whatever ends that; if it crashes it is started again on
 * the same port. Throws `RCV_EMBEDDED_UNAVAILABLE` where it cannot run, `RCV_EMBEDDED_START` with the last lines of its
 * log when it did not come up, and the signal's reason when that aborts.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { logger = silent, signal } = options
  signal?.throwIfAborted()
  const order = createOrder(options)
  const { home } = order
  const running = findRunning(home)
  if (running !== undefined) return share(home, running)
  const owner = createOwner(order, logger)
  const abort = (): void => void owner.stop()
  signal?.addEventListener('abort', abort)
  try {
    const { port, isOwner } = await owner.ready
    signal?.throwIfAborted()
    return isOwner ? { url: urlOf(home, port), port, isOwner, stop: () => owner.stop() } : share(home, port)
  } catch (error) {
    await owner.stop()
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

function createOrder(options: EmbeddedPostgresOptions): KeeperOrder {
  const { isThrowaway = false, systemDirectories = SYSTEM_DIRECTORIES } = options
  const binaries = findBinaries(options.packageDirectory)
  try {
    const home = prepareHome(resolve(options.directory), systemDirectories)
    return { binaries, home, systemDirectories, isThrowaway, ownerPid: process.pid }
  } catch (error) {
    if (error instanceof AppError) throw error
    const message = `the embedded PostgreSQL cannot use ${options.directory}: ${String(error)}`
    throw new AppError('RCV_EMBEDDED_START', message, { cause: error })
  }
}

interface Owner {
  readonly ready: Keeper['ready']
  stop(): Promise<void>
}

/** Holds the keeper, and replaces it when it is killed: a server without a keeper would outlive us. */
function createOwner(order: KeeperOrder, logger: EmbeddedLogger): Owner {
  let isStopping = false
  let isLost = false
  let revivals = 0
  let keeper = hire()
  const { ready } = keeper
  return {
    ready,
    stop: async () => {
      isStopping = true
      keeper.release()
      await keeper.exited
    },
  }

  function hire(): Keeper {
    const hired = startKeeper(order)
    hired.ready.then(
      ({ isOwner }) => {
        hired.unref()
        hired.onNews((message) => {
          report(message, logger)
          isLost ||= message.kind === 'failed'
        })
        if (isOwner) void hired.exited.then(replace)
      },
      (error: unknown) => {
        if (revivals > 0) logger.error({ err: error }, 'embedded PostgreSQL is gone')
      },
    )
    return hired
  }

  function replace(): void {
    if (isStopping || isLost) return
    revivals += 1
    if (revivals > MAX_REVIVALS) return logger.error({ revivals }, 'embedded PostgreSQL has lost its keeper for good')
    logger.warn({ revivals }, 'embedded PostgreSQL lost its keeper; starting it again')
    keeper = hire()
  }
}

function report(message: KeeperMessage, logger: EmbeddedLogger): void {
  switch (message.kind) {
    case 'crashed':
      return logger.error({ exitCode: message.exitCode }, 'embedded PostgreSQL ended by itself; starting it again')
    case 'failed':
      return logger.error({ code: message.code }, message.message)
    case 'started':
    case 'shared':
      return logger.info({ port: message.port }, 'embedded PostgreSQL accepts connections')
    default:
      message satisfies never
  }
}

function share(home: ServerHome, port: number): EmbeddedPostgres {
  return { url: urlOf(home, port), port, isOwner: false, stop: () => Promise.resolve() }
}

function urlOf(home: ServerHome, port: number): string {
  return `postgres://${USER_NAME}:${readPassword(home)}@127.0.0.1:${port}/${DATABASE_NAME}`
}

function readPassword(home: ServerHome): string {
  const path = passwordFileOf(home)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const message = `the embedded PostgreSQL's password in ${path} is not readable for this user`
    throw new AppError('RCV_EMBEDDED_START', message, { cause: error })
  }
}
