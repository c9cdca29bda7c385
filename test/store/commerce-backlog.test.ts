// What a backlog costs where order per commerce is kept: it follows the commerces that have something, not their jobs.
import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import type { Db } from '../../src/store/database.ts'
import { createDueSearch } from '../../src/store/due-search.ts'
import type { DueSearch } from '../../src/store/due-search.ts'
import { COMMERCES_NAMED } from '../../src/store/find-commerces-in-turn.ts'
import { addConnection } from '../support/ledger.ts'
import { claim } from '../support/jobs.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

const BACKLOG = 10_000
// A few hundred jobs looked at by time, with what is read beside them; a walk over the backlog is five times that and more.
const FEW = 2_000

/** One session, which tells all it has read. */
async function createFixture(t: Test): Promise<{ readonly db: Db; readonly search: DueSearch }> {
  const { db } = await openTestDatabase(t, undefined, { poolSize: 1 })
  await addConnection(db, 'acme', { settings: { ordering: 'commerce' } })
  const search = createDueSearch(db, { kind: 'deliver', leaseSeconds: 60, nowMs: () => 0 })
  return { db, search }
}

/** Adds due jobs in turn over so many commerces, whose names begin with `prefix`. */
async function addBacklog(db: Db, count: number, commerces: number, prefix = 'C'): Promise<void> {
  await sql`
    insert into jobs (kind, connection, dispatch_id, commerce_id, seq, due_at)
    select 'deliver', 'acme', gen_random_uuid(), ${prefix} || '-' || lpad((n % ${commerces}::int)::text, 5, '0'),
           nextval('dispatches_seq'), now() - interval '1 hour' + make_interval(secs => n / 100.0)
    from generate_series(1, ${count}::int) as n`.execute(db)
  await sql`analyze jobs`.execute(db)
}

/** Rows of jobs and entries of its indexes that were read so far. */
async function read(db: Db): Promise<number> {
  await sql`select pg_stat_force_next_flush()`.execute(db)
  const { rows } = await sql<{ total: number }>`
    select (select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'jobs')::int
           + (select seq_tup_read from pg_stat_user_tables where relname = 'jobs')::int as total`.execute(db)
  return rows[0]?.total ?? 0
}

/** Claims from where the search says, as a worker does. */
async function claimFound(db: Db, search: DueSearch, maxInFlight = 50): Promise<readonly ClaimedJob[]> {
  const [due] = await search.find()
  return due === undefined ? [] : claim(db, { shares: [{ ...due, maxInFlight }] })
}

const finish = (db: Db, jobs: readonly ClaimedJob[]) =>
  sql`delete from jobs where id = any(${jobs.map((job) => job.id)})`.execute(db)

void t.test('a backlog kept in order per commerce', async (t) => {
  await t.test('of one commerce is not walked through for the one job that may be claimed', async (t) => {
    const { db, search } = await createFixture(t)
    await addBacklog(db, BACKLOG, 1)
    const before = await read(db)

    t.equal((await claim(db)).length, 1)
    t.ok((await read(db)) - before < FEW, 'without a horizon')
    t.same(await claimFound(db, search), [], 'nor found to be claimed')
    t.same(await claimFound(db, search), [])
    t.ok((await read(db)) - before < FEW * 2, 'behind one in flight')
  })

  await t.test('behind heads that are tried later is not walked through by a sweep', async (t) => {
    const { db, search } = await createFixture(t)
    await addBacklog(db, BACKLOG, 50)
    await sql`update jobs set due_at = now() + interval '1 hour' where seq <= (select min(seq) + 49 from jobs)`.execute(
      db,
    )
    const before = await read(db)

    for (let look = 0; look < 3; look += 1) t.same(await claimFound(db, search), [])

    t.ok((await read(db)) - before < FEW * 2)
  })

  await t.test('lets everything be claimed that stands behind it and is in turn', async (t) => {
    const { db, search } = await createFixture(t)
    await addBacklog(db, COMMERCES_NAMED * 3, 1)
    await addBacklog(db, 5, 5, 'D')
    const found: string[] = []

    for (let round = 0; round < 3; round += 1)
      found.push(...(await claimFound(db, search)).map((job) => job.commerceId))

    t.same(found.toSorted(), ['C-00000', 'D-00000', 'D-00001', 'D-00002', 'D-00003', 'D-00004'])
  })

  await t.test('of more commerces than are named at once starves none of them', async (t) => {
    const { db, search } = await createFixture(t)
    const commerces = COMMERCES_NAMED * 2 + 10
    await addBacklog(db, COMMERCES_NAMED * 2, 1, 'A')
    await sql`update jobs set due_at = due_at - interval '1 hour'`.execute(db) // fills what is looked at by time
    await addBacklog(db, commerces * 12, commerces)
    const served = new Set<string>()

    for (let round = 0; round < 12 && served.size <= commerces; round += 1) {
      const jobs = await claimFound(db, search, 100)
      for (const job of jobs) served.add(job.commerceId)
      await finish(
        db,
        jobs.filter((job) => !job.commerceId.startsWith('A')),
      )
    }

    t.equal(served.size, commerces + 1)
  })
})
