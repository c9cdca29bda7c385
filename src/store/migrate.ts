// Migrations: numbered SQL files through Kysely's Migrator. A release refuses a database that is behind it, or ahead of it by
// a migration marked "-- breaking"; a compatible newer database is fine, so that roll-back and rolling deploys work.
import { readFile, readdir } from 'node:fs/promises'
import { sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import type { Migration, MigrationProvider } from 'kysely/migration'
import { AppError } from '../errors.ts'
import type { Db } from './database.ts'
import { errorCode } from './database-errors.ts'

/** A line of its own in a migration that code of earlier releases must not run beside. */
const BREAKING_MARK = /^-- breaking\s*$/m

export interface MigrationState {
  readonly pending: readonly string[]
  /** Applied by a newer release, unknown to this one. */
  readonly unknown: readonly string[]
  readonly breaking: readonly string[]
}

const MIGRATIONS_FOLDER = new URL('../../migrations/', import.meta.url)

/** Applies what is pending, all in one transaction; answers the names applied, in order. */
export async function migrate(db: Db, folder: URL = MIGRATIONS_FOLDER): Promise<readonly string[]> {
  await refuseBreaking(db, folder)
  const migrator = new Migrator({ db, provider: await createProvider(db, folder) })
  const { error, results } = await migrator.migrateToLatest()
  if (error !== undefined) {
    const failed = results?.find((result) => result.status === 'Error')?.migrationName ?? 'before the first migration'
    const why = error instanceof Error ? error.message : 'for a reason that is no error'
    throw new AppError('RCV_MIGRATION_BROKEN', `migration stopped at ${failed}: ${why}`, { cause: error })
  }
  return (results ?? []).filter((result) => result.status === 'Success').map((result) => result.migrationName)
}

/** Throws RCV_MIGRATIONS_BEHIND or RCV_MIGRATIONS_AHEAD where this release must not run on this database. */
export async function checkMigrations(db: Db, folder: URL = MIGRATIONS_FOLDER): Promise<void> {
  const state = await readMigrationState(db, folder)
  if (state.pending.length > 0) {
    const message = `the database lacks ${state.pending.join(', ')}: run "npm run migrate"`
    throw new AppError('RCV_MIGRATIONS_BEHIND', message)
  }
  if (state.breaking.length > 0) throw aheadError(state.breaking)
}

/** What this release and the database know of each other's migrations. */
export async function readMigrationState(db: Db, folder: URL = MIGRATIONS_FOLDER): Promise<MigrationState> {
  const known = await listFiles(folder)
  const applied = await readApplied(db)
  const unknown = [...applied.keys()].filter((name) => !known.includes(name))
  return {
    pending: known.filter((name) => !applied.has(name)),
    unknown,
    breaking: unknown.filter((name) => applied.get(name) === true),
  }
}

async function refuseBreaking(db: Db, folder: URL): Promise<void> {
  const { breaking } = await readMigrationState(db, folder)
  if (breaking.length > 0) throw aheadError(breaking)
}

function aheadError(breaking: readonly string[]): AppError {
  const message = `the database was changed by ${breaking.join(', ')}, which this release cannot run beside: deploy a newer one`
  return new AppError('RCV_MIGRATIONS_AHEAD', message)
}

async function listFiles(folder: URL): Promise<string[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql'))
  return files.map((file) => file.slice(0, -'.sql'.length)).sort()
}

async function readApplied(db: Db): Promise<Map<string, boolean>> {
  try {
    const { rows } = await sql<{ name: string; is_breaking: boolean }>`
      select m.name, coalesce(k.is_breaking, false) as is_breaking
      from kysely_migration m left join migration_marks k using (name)`.execute(db)
    return new Map(rows.map((row) => [row.name, row.is_breaking]))
  } catch (error) {
    if (errorCode(error) === '42P01') return new Map() // undefined_table: nothing was ever applied
    throw error
  }
}

/** Kysely wants a file for everything applied: what a newer release applied stands in with nothing to do. */
async function createProvider(db: Db, folder: URL): Promise<MigrationProvider> {
  const migrations: Record<string, Migration> = {}
  for (const name of await listFiles(folder)) {
    const text = await readFile(new URL(`${name}.sql`, folder), 'utf8')
    migrations[name] = {
      up: async (transaction) => {
        // However long a large table takes: a bound of the connection or of its role is meant for statements of the service.
        await sql`set local statement_timeout = 0`.execute(transaction)
        await sql.raw(text).execute(transaction)
        const isBreaking = BREAKING_MARK.test(text)
        await sql`insert into migration_marks (name, is_breaking) values (${name}, ${isBreaking})`.execute(transaction)
      },
    }
  }
  const { unknown } = await readMigrationState(db, folder)
  for (const name of unknown) migrations[name] = { up: async () => {} }
  return { getMigrations: async () => migrations }
}
