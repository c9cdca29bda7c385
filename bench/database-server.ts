// The one PostgreSQL of a run: every round gets a new database on it, so that no line pays for the rows of another.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startEmbeddedPostgres } from '../src/embedded/start-embedded-postgres.ts'

export interface DatabaseServer {
  readonly version: string
  /** Settings that decide what "committed" means, as the server has them. */
  readonly settings: Readonly<Record<string, string>>
  /** Makes a new, empty database and answers its URL; whatever was written before is on disk by then. */
  create(name: string): Promise<string>
  drop(name: string): Promise<void>
  /** The one number that `query` answers in the database `name`. */
  count(name: string, query: string): Promise<number>
  /** Every process of the server that works right now. */
  processes(): Promise<readonly number[]>
  stop(): Promise<void>
}

const DURABLE_SETTINGS = ['fsync', 'synchronous_commit', 'full_page_writes']

/** Starts the service's own embedded PostgreSQL on a new directory. Refuses to measure without durability. */
export async function startDatabaseServer(): Promise<DatabaseServer> {
  const directory = mkdtempSync(join(tmpdir(), 'receiver-bench-'))
  const server = await startEmbeddedPostgres({ directory })
  const admin = new pg.Client({ connectionString: server.url })
  await admin.connect()
  const show = async (name: string): Promise<string> => {
    const { rows } = await admin.query<Record<string, string>>(`show ${name}`)
    return Object.values(rows[0] ?? {})[0] ?? ''
  }
  const settings: Record<string, string> = {}
  for (const name of DURABLE_SETTINGS) {
    settings[name] = await show(name)
    if (settings[name] !== 'on') throw new Error(`${name} is ${settings[name]} and must be on`)
  }
  await fillLog(admin)
  const urlOf = (name: string): string => Object.assign(new URL(server.url), { pathname: `/${name}` }).href
  return {
    version: await show('server_version'),
    settings: { ...settings, shared_buffers: await show('shared_buffers') },
    create: async (name) => {
      await admin.query(`drop database if exists ${name} with (force)`)
      await admin.query(`create database ${name}`)
      await admin.query('checkpoint')
      return urlOf(name)
    },
    drop: async (name) => {
      await admin.query(`drop database if exists ${name} with (force)`)
    },
    count: async (name, query) => {
      const client = new pg.Client({ connectionString: urlOf(name) })
      await client.connect()
      try {
        const { rows } = await client.query<{ count: string }>(query)
        return Number(rows[0]?.count)
      } finally {
        await client.end()
      }
    },
    processes: async () => {
      const { rows } = await admin.query<{ pid: number }>('select pid from pg_stat_activity')
      return rows.map((row) => row.pid)
    },
    stop: async () => {
      await admin.end()
      await server.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

// A server that has run for a while writes its log into files it has used before; a new one makes each file first, 16 MB of
// zeros, and whoever commits waits for that a quarter of a second. Enough files for every line's whole measurement.
const LOG_FILES = 40

async function fillLog(admin: pg.Client): Promise<void> {
  await admin.query("alter system set min_wal_size = '1GB'")
  await admin.query('select pg_reload_conf()')
  for (let file = 0; file < LOG_FILES; file += 1) {
    await admin.query("select pg_logical_emit_message(false, 'bench', 'fill')")
    await admin.query('select pg_switch_wal()')
  }
  await admin.query('checkpoint')
}
