import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import type { Db } from '../../src/store/database.ts'
import { checkMigrations, migrate, readMigrationState } from '../../src/store/migrate.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

const MARKS = 'create table migration_marks (name text primary key, is_breaking boolean not null);'

/** A folder of migrations that ends with the test, as one release has it. */
async function release(t: Test, files: Readonly<Record<string, string>>): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'migrations-'))
  t.teardown(() => rm(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, `${name}.sql`), text)
  return pathToFileURL(`${folder}/`)
}

/** The names of this release's migrations, in order. */
async function ownMigrations(): Promise<string[]> {
  const files = await readdir(new URL('../../migrations/', import.meta.url))
  return files.map((file) => file.replace('.sql', '')).toSorted((a, b) => (a < b ? -1 : 1))
}

async function createEmpty(t: Test): Promise<Db> {
  return (await openTestDatabase(t, undefined, { isEmpty: true })).db
}

async function tables(db: Db): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'public' and tablename not like 'kysely%'
    order by 1`.execute(db)
  return rows.map((row) => row.name)
}

void t.test('migrate', async (t) => {
  await t.test('makes everything on an empty database, and then nothing more', async (t) => {
    const db = await createEmpty(t)

    t.same(await migrate(db), await ownMigrations())
    t.same(await migrate(db), [])

    t.ok((await tables(db)).includes('dispatches'))
    t.same(await readMigrationState(db), { pending: [], unknown: [], breaking: [] })
    await t.resolves(checkMigrations(db))
  })

  await t.test('applies each migration once where two instances start at once', async (t) => {
    const { db, url } = await openTestDatabase(t, undefined, { isEmpty: true })
    const { db: other } = await openTestDatabase(t, url)

    const applied = await Promise.all([migrate(db), migrate(other), migrate(db), migrate(other)])

    t.same(applied.flat(), await ownMigrations())
    await t.resolves(checkMigrations(other))
  })

  await t.test('takes as long as it takes, whatever bounds the statements of the service', async (t) => {
    const { db } = await openTestDatabase(t, undefined, { isEmpty: true })
    const migration = `${MARKS} create table bounds as select current_setting('statement_timeout') as statements;`

    await migrate(db, await release(t, { '0001_slow': migration }))

    t.same((await sql`select * from bounds`.execute(db)).rows, [{ statements: '0' }])
  })

  await t.test('applies what is pending in the order of the numbers', async (t) => {
    const db = await createEmpty(t)
    const files = { '0001_one': `${MARKS} create table one (id int);` }
    await migrate(db, await release(t, files))
    const later = await release(t, {
      ...files,
      '0010_ten': 'insert into two values (10);',
      '0002_two': 'create table two (id int); create index on two (id);',
    })

    t.same((await readMigrationState(db, later)).pending, ['0002_two', '0010_ten'])
    t.same(await migrate(db, later), ['0002_two', '0010_ten'])
  })

  await t.test('leaves nothing behind of a migration that breaks, and names it', async (t) => {
    const db = await createEmpty(t)
    const folder = await release(t, {
      '0001_one': `${MARKS} create table one (id int);`,
      '0002_two': 'create table two (id int); select 1 / 0;',
    })

    await t.rejects(migrate(db, folder), {
      code: 'RCV_MIGRATION_BROKEN',
      message: /^migration stopped at 0002_two: division by zero$/,
    })

    t.same(await tables(db), [])
    await t.rejects(checkMigrations(db, folder), { code: 'RCV_MIGRATIONS_BEHIND' })
  })

  await t.test('lets an earlier release migrate a compatible newer database, which changes nothing', async (t) => {
    const db = await createEmpty(t)
    const one = { '0001_one': `${MARKS} create table one (id int);` }
    await migrate(db, await release(t, { ...one, '0002_two': 'create table two (id int);' }))
    const earlier = await release(t, one)

    t.same(await migrate(db, earlier), [])

    t.same(await readMigrationState(db, earlier), { pending: [], unknown: ['0002_two'], breaking: [] })
    t.same(await tables(db), ['migration_marks', 'one', 'two'])
  })

  await t.test('refuses a database that a breaking newer release has changed', async (t) => {
    const db = await createEmpty(t)
    const one = { '0001_one': `${MARKS} create table one (id int);` }
    const later = { '0002_two': '-- Purpose: …\n-- breaking\ncreate table two (id int);' }
    await migrate(db, await release(t, { ...one, ...later }))

    await t.rejects(migrate(db, await release(t, one)), { code: 'RCV_MIGRATIONS_AHEAD', message: /0002_two/ })
  })

  await t.test('takes the mark of a breaking migration only where it stands alone', async (t) => {
    const db = await createEmpty(t)
    const one = { '0001_one': `${MARKS} create table one (id int);` }
    const later = { '0002_two': '-- not -- breaking at all\n--  breaking\nselect 1;' }
    await migrate(db, await release(t, { ...one, ...later }))

    t.same((await readMigrationState(db, await release(t, one))).breaking, [])
  })
})

void t.test('checkMigrations', async (t) => {
  await t.test('refuses a database where nothing was ever applied', async (t) => {
    await t.rejects(checkMigrations(await createEmpty(t)), {
      code: 'RCV_MIGRATIONS_BEHIND',
      message: /0001_dispatches.*npm run migrate/,
    })
  })

  await t.test('refuses a database that is behind, naming what it lacks', async (t) => {
    const db = await createEmpty(t)
    const one = { '0001_one': `${MARKS} create table one (id int);` }
    await migrate(db, await release(t, one))
    const later = await release(t, { ...one, '0002_two': 'select 1;', '0003_three': 'select 1;' })

    await t.rejects(checkMigrations(db, later), { message: /lacks 0002_two, 0003_three:/ })
  })

  await t.test('takes a database that is ahead by compatible migrations', async (t) => {
    const db = await createEmpty(t)
    const one = { '0001_one': `${MARKS} create table one (id int);` }
    await migrate(db, await release(t, { ...one, '0002_two': 'create table two (id int);' }))

    await t.resolves(checkMigrations(db, await release(t, one)))
  })

  await t.test('refuses a database that is ahead by a breaking one', async (t) => {
    const db = await createEmpty(t)
    const one = { '0001_one': `${MARKS} create table one (id int);` }
    const later = { '0002_two': 'select 1;', '0003_three': '-- breaking\nselect 1;' }
    await migrate(db, await release(t, { ...one, ...later }))

    await t.rejects(checkMigrations(db, await release(t, one)), {
      code: 'RCV_MIGRATIONS_AHEAD',
      message: /changed by 0003_three, /,
    })
  })
})
