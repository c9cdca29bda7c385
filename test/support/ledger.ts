// Rows to deliver and to report: stored as the service stores them, claimed as its workers claim them, and read back whole.
import { sql } from 'kysely'
import type { Test } from 'tap'
import { computeDispatchId } from '../../src/dispatch/identity.ts'
import type { ResultContent } from '../../src/dispatch/result.ts'
import { createSilentLogger } from '../../src/logger.ts'
import type { FinishedAttempt } from '../../src/store/attempt.ts'
import { claimJobs } from '../../src/store/claim-jobs.ts'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import { openDatabase } from '../../src/store/database.ts'
import type { Db } from '../../src/store/database.ts'
import { insertDispatches } from '../../src/store/insert-dispatches.ts'
import type { NewDispatch } from '../../src/store/insert-dispatches.ts'
import { recordProviderEvent } from '../../src/store/record-provider-event.ts'
import { recordRepeat } from '../../src/store/record-repeat.ts'
import { replayDispatch } from '../../src/store/replay-dispatch.ts'
import { settleDelivered } from '../../src/store/settle-delivery.ts'
import type { JobKind } from '../../src/store/tables.ts'
import { createTestDatabase } from './database.ts'

export const CONNECTION = 'acme'

/** A pool on a database of `t`'s own. Every test in it begins with empty tables and the connection `acme`. */
export async function openLedger(t: Test, poolSize = 6): Promise<{ readonly db: Db; readonly url: string }> {
  const { url } = await createTestDatabase(t)
  const handle = openDatabase({ url, poolSize, logger: createSilentLogger() })
  t.teardown(() => handle.close())
  t.beforeEach(() => clearLedger(handle.db))
  return { db: handle.db, url }
}

/** Empty tables and the connection `acme`: a twentieth of what a database of one's own costs. */
export async function clearLedger(db: Db): Promise<void> {
  for (const table of TABLES) await db.deleteFrom(table).execute()
  await addConnection(db)
}

const TABLES = [
  'jobs',
  'commerce_blocks',
  'results',
  'attempts',
  'provider_events',
  'dispatch_bodies',
  'dispatches',
  'connection_keys',
  'connections',
  'audit_log',
  'periodic_leases',
  'connection_budgets',
  'reconciliations',
] as const

export interface ConnectionOverrides {
  readonly provider?: string
  readonly state?: 'active' | 'paused' | 'archived'
  readonly retenBaseUrl?: string
  readonly settings?: Readonly<Record<string, unknown>>
  readonly providerSettings?: Readonly<Record<string, unknown>>
}

export async function addConnection(db: Db, name = CONNECTION, overrides: ConnectionOverrides = {}): Promise<void> {
  await db
    .insertInto('connections')
    .values({
      name,
      provider: overrides.provider ?? 'test',
      state: overrides.state ?? 'active',
      state_reason: overrides.state === 'paused' ? 'on purpose' : null,
      reten_base_url: overrides.retenBaseUrl ?? null,
      settings: JSON.stringify(overrides.settings ?? {}),
      provider_settings: JSON.stringify(overrides.providerSettings ?? {}),
    })
    .execute()
}

export function buildDispatch(activityId: string, overrides: Partial<NewDispatch> = {}): NewDispatch {
  const connection = overrides.connection ?? CONNECTION
  const body = { id: activityId, type: 'TASK', commerce: { externalId: 'C-1' } }
  return {
    id: computeDispatchId(connection, activityId),
    connection,
    activityId,
    type: 'TASK',
    channel: 'SALESMAN',
    commerceId: 'C-1',
    operatorId: undefined,
    scheduledAt: undefined,
    origin: 'pushed',
    isForUs: true,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(body)),
    ...overrides,
  }
}

/** Stores a dispatch as the inbox does; answers its id. */
export async function storeDispatch(db: Db, activityId = 'A-1', overrides: Partial<NewDispatch> = {}): Promise<string> {
  const row = buildDispatch(activityId, overrides)
  await insertDispatches(db, [row])
  return row.id
}

/** The same activity again with another body, on a connection that delivers it again. */
export async function redeliver(db: Db, activityId = 'A-1', note = 'changed'): Promise<void> {
  const body = Buffer.from(JSON.stringify({ id: activityId, commerce: { externalId: 'C-1' }, note }))
  await recordRepeat(db, { row: buildDispatch(activityId, { body }), onChangedBody: 'redeliver' })
}

/** An operator has it done again. */
export async function replay(db: Db, id: string): Promise<void> {
  const author = { actor: 'otto', requestId: undefined }
  const outcome = await replayDispatch(db, { id, reason: 'a test', isDryRun: false, author })
  if (outcome.kind !== 'planned') throw new Error(`not replayed: ${outcome.kind}`)
}

export interface ClaimOverrides {
  readonly connection?: string
  readonly worker?: string
  readonly maxInFlight?: number
}

export function claimAll(db: Db, kind: JobKind, overrides: ClaimOverrides = {}): Promise<readonly ClaimedJob[]> {
  const { connection = CONNECTION, worker = 'worker-a', maxInFlight = 100 } = overrides
  return claimJobs(db, { kind, worker, leaseSeconds: 60, shares: [{ connection, maxInFlight }] })
}

/** Claims the one job that is due; throws where there is none or more than one. */
export async function claimOne(db: Db, kind: JobKind = 'deliver', overrides: ClaimOverrides = {}): Promise<ClaimedJob> {
  const [job, ...others] = await claimAll(db, kind, overrides)
  if (job === undefined || others.length > 0) throw new Error(`${others.length + (job ? 1 : 0)} jobs were claimed`)
  return job
}

/** Delivers what is due, with a result in the answer where there is one. */
export async function deliver(db: Db, providerTaskId?: string, content?: Partial<ResultContent>): Promise<void> {
  const result = content === undefined ? undefined : buildResult(content)
  await settleDelivered(db, buildAttempt(await claimOne(db)), { providerTaskId, result })
}

export function buildAttempt(job: ClaimedJob, overrides: Partial<FinishedAttempt> = {}): FinishedAttempt {
  return { job, startedAt: new Date(), durationMs: 12.4, outcome: 'accepted', worker: 'worker-a', ...overrides }
}

export function buildResult(overrides: Partial<ResultContent> = {}): ResultContent {
  return {
    eventId: 'E-1',
    status: 'EFFECTIVE',
    code: 'SALE_COMPLETED',
    occurredAt: '2026-05-04T15:20:00.000Z',
    ...overrides,
  }
}

/** A provider's event for a dispatch, recorded; its body is what makes it the same event or another one. */
export function recordEvent(db: Db, dispatchId: string, content: Partial<ResultContent> = {}) {
  const event = { dispatchId, content: buildResult(content) }
  const body = Buffer.from(JSON.stringify(event))
  return recordProviderEvent(db, { connection: CONNECTION, provider: 'test', event, body })
}

/** As if every lease had expired a moment ago. */
export async function expireLeases(db: Db): Promise<void> {
  await sql`update jobs set leased_until = now() - interval '1 second' where leased_until is not null`.execute(db)
}

/** As if every job that waits for its time were due. */
export async function makeAllDue(db: Db): Promise<void> {
  await sql`update jobs set due_at = now() where leased_until is null`.execute(db)
}

export type Story = Awaited<ReturnType<typeof readStory>>

/** Everything stored about a dispatch. */
export async function readStory(db: Db, id: string) {
  const dispatch = await db.selectFrom('dispatches').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  const jobs = await db.selectFrom('jobs').selectAll().where('dispatch_id', '=', id).orderBy('id').execute()
  return {
    dispatch,
    job: jobs.find((job) => job.kind === 'deliver'),
    reports: jobs.filter((job) => job.kind === 'report'),
    attempts: await db.selectFrom('attempts').selectAll().where('dispatch_id', '=', id).orderBy('started_at').execute(),
    results: await db.selectFrom('results').selectAll().where('dispatch_id', '=', id).orderBy('created_at').execute(),
  }
}

/** What a story may be held against; its lists are matched to their ends. */
export interface StoryPattern {
  readonly dispatch?: object
  readonly job?: object | undefined
  readonly attempts?: readonly object[]
  readonly results?: readonly object[]
  readonly reports?: readonly object[]
}

/** Asserts a list to its end, where `t.match` takes a pattern for its beginning. */
export function matchList(t: Test, list: readonly unknown[], patterns: readonly object[]): void {
  t.equal(list.length, patterns.length, 'as many as expected')
  t.match(list, [...patterns])
}

/** Asserts everything the pattern names; `job: undefined` says that there is none. */
export function tells(t: Test, story: Story, pattern: StoryPattern): void {
  for (const list of ['attempts', 'results', 'reports'] as const) {
    if (pattern[list] !== undefined) t.equal(story[list].length, pattern[list].length, `${list} in all`)
  }
  t.match(story, { ...pattern })
}

/** Seconds from now, by the database's clock. */
export async function secondsUntil(db: Db, at: Date): Promise<number> {
  const { rows } = await sql<{ seconds: number }>`
    select extract(epoch from ${at}::timestamptz - now())::float8 as seconds`.execute(db)
  return rows[0]?.seconds ?? Number.NaN
}

/** Until `t` ends every statement that writes to `table` in this way is refused: whoever tries it has to undo all it did. */
export async function refuseWrites(
  t: Test,
  db: Db,
  table: string,
  verb: 'insert' | 'update' | 'delete',
): Promise<void> {
  await sql`create or replace function refuse() returns trigger language plpgsql
    as $$ begin raise exception 'refused'; end $$`.execute(db)
  await sql`create trigger refuse before ${sql.raw(verb)} on ${sql.table(table)} for each row
    execute function refuse()`.execute(db)
  t.teardown(() => sql`drop trigger refuse on ${sql.table(table)}`.execute(db))
}

/**
 * Runs `first` until it inserts into `table`, keeps it there until `second` waits for it, and then lets both go on: the second
 * one meets what the first has locked and not yet committed.
 */
export async function inTurn(
  t: Test,
  db: Db,
  table: string,
  first: () => Promise<unknown>,
  second: () => Promise<unknown>,
): Promise<void> {
  await sql`create or replace function wait_for_turn() returns trigger language plpgsql
    as $$ begin perform pg_advisory_xact_lock_shared(${sql.lit(TURN_LOCK)}); return new; end $$`.execute(db)
  await sql`create trigger wait_for_turn before insert on ${sql.table(table)} for each row
    execute function wait_for_turn()`.execute(db)
  t.teardown(() => sql`drop trigger if exists wait_for_turn on ${sql.table(table)}`.execute(db))
  const release = Promise.withResolvers<void>()
  const isHeld = Promise.withResolvers<void>()
  const holder = db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(TURN_LOCK)})`.execute(tx)
    isHeld.resolve()
    await release.promise
  })
  await isHeld.promise
  const ahead = first()
  await untilWaiting(db, 1)
  const behind = second()
  await untilWaiting(db, 2).finally(() => release.resolve())
  await Promise.all([holder, ahead, behind])
}

/** Any number of our own. */
const TURN_LOCK = 6_021_023

/** Resolves when `count` sessions of this database wait for a lock. */
export async function untilWaiting(db: Db, count = 1): Promise<void> {
  await until(async () => {
    const { rows } = await sql<{ waiting: number }>`
      select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
    return (rows[0]?.waiting ?? 0) >= count
  })
}

/** Resolves when `holds` does; throws after 10 s, since what has not happened by then will not. */
export async function until(holds: () => Promise<boolean> | boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`did not happen within ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
