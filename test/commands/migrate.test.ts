import { readdirSync } from 'node:fs'
import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import { createSilentLogger } from '../../src/logger.ts'
import { openDatabase } from '../../src/store/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { unusedOrigin } from '../support/local-server.ts'
import { runProgram } from './run-program.ts'

const MIGRATIONS = readdirSync(new URL('../../migrations/', import.meta.url))
  .filter((file) => file.endsWith('.sql'))
  .map((file) => file.slice(0, -'.sql'.length))
  .sort()

async function createEmpty(t: Test): Promise<string> {
  return (await createTestDatabase(t, { isEmpty: true })).url
}

async function run(t: Test, url: string, statement: string): Promise<Record<string, unknown>[]> {
  const handle = openDatabase({ url, poolSize: 1, logger: createSilentLogger() })
  t.teardown(() => handle.close())
  const { rows } = await sql.raw<Record<string, unknown>>(statement).execute(handle.db)
  return rows
}

t.test('npm run migrate', async (t) => {
  t.jobs = 3

  t.test('applies what is pending by the direct address, says so, and has nothing to do the second time', async (t) => {
    const url = await createEmpty(t)
    const pooler = `postgres://x@${new URL(await unusedOrigin()).host}/x`

    const first = await runProgram(t, 'migrate', [], { DATABASE_URL: pooler, DATABASE_DIRECT_URL: url })
    const second = await runProgram(t, 'migrate', [], { DATABASE_URL: url })

    t.match(first, { code: 0, stderr: '' })
    for (const name of MIGRATIONS) t.match(first.stdout, `applied ${name}\n`)
    t.match(first.stdout, /made \d+ day partitions\n/)
    t.strictSame(second, { code: 0, stderr: '', stdout: 'nothing to apply, the database is up to date\n' })
  })

  t.test('takes turns where two run at once', async (t) => {
    const url = await createEmpty(t)

    const both = await Promise.all([1, 2].map(() => runProgram(t, 'migrate', [], { DATABASE_URL: url })))

    t.strictSame(
      both.map(({ code, stderr }) => [code, stderr]),
      [
        [0, ''],
        [0, ''],
      ],
    )
    t.equal(both.filter(({ stdout }) => stdout.includes('applied')).length, 1)
  })

  t.test('leaves a compatible newer database as it is, and says so', async (t) => {
    const { url } = await createTestDatabase(t)
    await run(t, url, "insert into kysely_migration (name, timestamp) values ('9999_next', '2030')")
    await run(t, url, "insert into migration_marks (name, is_breaking) values ('9999_next', false)")

    const { code, stdout } = await runProgram(t, 'migrate', [], { DATABASE_URL: url })

    t.equal(code, 0)
    t.match(stdout, 'applied by a newer release, compatible: 9999_next\n')
  })

  const REFUSALS: Readonly<Record<string, readonly [settings: (t: Test) => Promise<Record<string, string>>, RegExp]>> =
    {
      'a database that a newer release changed': [
        async (t) => {
          const { url } = await createTestDatabase(t)
          await run(t, url, "insert into kysely_migration (name, timestamp) values ('9999_next', '2030')")
          await run(t, url, "insert into migration_marks (name, is_breaking) values ('9999_next', true)")
          return { DATABASE_URL: url }
        },
        /changed by 9999_next/,
      ],
      'a database that cannot be reached': [
        async () => ({ DATABASE_URL: `postgres://someone:a-secret-word@${new URL(await unusedOrigin()).host}/there` }),
        /^the database at 127\.0\.0\.1:\d+\/there cannot be used: .*\n$/,
      ],
    }
  for (const [what, [settings, sentence]] of Object.entries(REFUSALS)) {
    t.test(`refuses ${what}, in a sentence and with exit code 1`, async (t) => {
      const { code, stdout, stderr } = await runProgram(t, 'migrate', [], await settings(t))

      t.equal(code, 1)
      t.match(stderr, sentence)
      t.notMatch(stderr, /^\s+at |a-secret-word/m)
      t.equal(stdout, '')
    })
  }

  t.test('undoes all it did where one migration does not apply, and says which', async (t) => {
    const url = await createEmpty(t)
    await run(t, url, 'create table jobs ()')

    const { code, stderr } = await runProgram(t, 'migrate', [], { DATABASE_URL: url })

    t.equal(code, 1)
    t.equal(stderr, 'migration stopped at 0001_dispatches: relation "jobs" already exists\n')
    t.strictSame(
      await run(t, url, "select to_regclass('connections') as connections, to_regclass('dispatches') as dispatches"),
      [{ connections: null, dispatches: null }],
    )
  })
})
