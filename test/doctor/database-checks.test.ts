import t from 'tap'
import { buildDatabaseChecks } from '../../src/doctor/database-checks.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { runCheck } from '../../src/doctor/run-checks.ts'
import { createSilentLogger } from '../../src/logger.ts'
import { openDatabase } from '../../src/store/database.ts'
import type { Db } from '../../src/store/database.ts'
import { unusedOrigin } from '../support/local-server.ts'
import { openTestDatabase } from '../support/open-test-database.ts'
import { byCheck } from './doctor-fixture.ts'
import type { Findings } from './doctor-fixture.ts'

async function examine(db: Db, { databasePoolSize = 10, isEmbedded = false } = {}): Promise<Findings> {
  const database = { db, address: 'db.example:5432/receiver', isEmbedded }
  const findings: Finding[] = []
  for (const check of buildDatabaseChecks({ database, config: { databasePoolSize } })) {
    findings.push(await runCheck(check, []))
  }
  return byCheck(findings)
}

void t.test('buildDatabaseChecks', async (t) => {
  const { db } = await openTestDatabase(t)

  await t.test('finds a database that holds what this release needs', async (t) => {
    const findings = await examine(db)

    t.match(findings.get('database'), { status: 'ok', found: 'db.example:5432/receiver answers' })
    t.match(findings.get('database version'), { status: 'ok', found: /^PostgreSQL 1[4-9]|[2-9]\d/ })
    t.match(findings.get('migrations'), { status: 'ok', found: 'up to date' })
    // How many are free depends on what else runs on the tests' server.
    t.match(findings.get('database connections'), { found: /up to 13 connections; \d+ may be open, others use \d+/ })
  })

  await t.test('measures commits, and says that this server answers them before they are on disk', async (t) => {
    t.match((await examine(db)).get('commit latency'), {
      status: 'warning',
      found: /a commit takes \d+\.\d ms.*crash loses/,
      advice: /synchronous_commit/,
    })
  })

  await t.test('says which setting asks for more connections than there are', async (t) => {
    t.match((await examine(db, { databasePoolSize: 500 })).get('database connections'), {
      status: 'failed',
      found: /up to 503 connections.*room for 0 instances/,
      advice: /DATABASE_POOL_SIZE/,
    })
  })

  await t.test('sends to the migrations where they are missing', async (t) => {
    const { db: empty } = await openTestDatabase(t, undefined, { isEmpty: true })

    t.match((await examine(empty)).get('migrations'), { status: 'failed', advice: /npm run migrate/ })
    t.match((await examine(empty, { isEmbedded: true })).get('migrations'), { status: 'ok', found: /will be applied/ })
  })

  await t.test('says once that nobody answers, and leaves the rest unchecked', async (t) => {
    const { port } = new URL(await unusedOrigin())
    const url = `postgres://user:hush-hush@127.0.0.1:${port}/receiver`
    const handle = openDatabase({ url, poolSize: 1, logger: createSilentLogger() })
    t.teardown(() => handle.close())

    const findings = [...(await examine(handle.db)).values()]

    t.match(findings[0], { status: 'failed', found: /ECONNREFUSED/, advice: /DATABASE_URL/ })
    t.same(
      findings.slice(1).map(({ status }) => status),
      ['unchecked', 'unchecked', 'unchecked', 'unchecked'],
    )
    t.notOk(JSON.stringify(findings).includes('hush-hush'))
  })
})
