/** How a server is to be run. See `EmbeddedPostgresOptions.isThrowaway`. */
export interface ServerSettings {
  readonly isThrowaway: boolean
  readonly port: number
}

/** The one database made for the service, and the superuser it connects as. */
export const DATABASE_NAME = 'reten_dispatch_receiver'
export const USER_NAME = 'receiver'

/** One service's pools with room to spare, and psql beside them. */
const DURABLE_CONNECTIONS = 100
/** Many test files at once, each with a pool of its own. */
const THROWAWAY_CONNECTIONS = 200

const COMMON = {
  listen_addresses: '127.0.0.1',
  // TCP only: the same on Windows, and no socket path that could grow beyond its 107 bytes.
  unix_socket_directories: '',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  // Statements here are short; compiling them takes longer than running them.
  jit: 'off',
  // The details of a violated constraint quote whole rows, and rows hold people's data.
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
  // Nothing here replicates; its launcher would be one more process.
  max_logical_replication_workers: '0',
}

const DURABLE = {
  ...COMMON,
  max_connections: String(DURABLE_CONNECTIONS),
  shared_buffers: '128MB',
  // The defaults, stated: an acknowledged dispatch survives a power cut.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
}

const THROWAWAY = {
  ...COMMON,
  max_connections: String(THROWAWAY_CONNECTIONS),
  shared_buffers: '64MB',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  // In-process reads: no worker processes to start for each of many small servers.
  io_method: 'sync',
}

/**
 * The command line of `postgres` for a server. Settings are given at each start rather than written once to
 * postgresql.conf, so that a new release of the service brings its own.
 */
export function serverArguments(dataDirectory: string, { isThrowaway, port }: ServerSettings): readonly string[] {
  const settings = { ...(isThrowaway ? THROWAWAY : DURABLE), port: String(port) }
  return ['-D', dataDirectory, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
}
