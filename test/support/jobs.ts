import { sql } from 'kysely'
import { claimJobs } from '../../src/store/claim-jobs.ts'
import type { ClaimedJob, ClaimRequest } from '../../src/store/claim-jobs.ts'
import type { Db } from '../../src/store/database.ts'
import { insertDispatches } from '../../src/store/insert-dispatches.ts'
import { newDispatch } from './activities.ts'

/** Stores dispatches of a connection, each with a deliver job that is due; answers their ids in order. */
export async function addDue(db: Db, names: readonly string[], connection = 'acme'): Promise<string[]> {
  const rows = names.map((name) => newDispatch(name, { connection }))
  await insertDispatches(db, rows)
  return rows.map((row) => row.id)
}

/** Stores a pending result of a dispatch and the job that reports it; answers the result's id. */
export async function addReport(db: Db, dispatchId: string, connection = 'acme'): Promise<string> {
  const { id } = await db
    .insertInto('results')
    .values({
      dispatch_id: dispatchId,
      connection,
      source: 'webhook',
      event_id: null,
      status: 'EFFECTIVE',
      code: 'SALE_COMPLETED',
      occurred_at: '2026-05-04T15:20:00.000Z',
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  await sql`
    insert into jobs (kind, connection, dispatch_id, result_id, commerce_id, seq)
    values ('report', ${connection}, ${dispatchId}, ${id}, 'C-1042', 1)`.execute(db)
  return id
}

/** Claims deliveries of `acme`; anything can be replaced. */
export function claim(
  db: Db,
  overrides: Partial<ClaimRequest> & { connections?: readonly string[]; maxInFlight?: number } = {},
): Promise<readonly ClaimedJob[]> {
  const { connections = ['acme'], maxInFlight = 100, ...rest } = overrides
  const shares = connections.map((connection) => ({ connection, maxInFlight }))
  return claimJobs(db, { kind: 'deliver', worker: 'w1', leaseSeconds: 60, shares, ...rest })
}

/** Lets every lease run out. */
export async function expireLeases(db: Db): Promise<void> {
  await sql`update jobs set leased_until = now() - interval '1 second' where leased_until is not null`.execute(db)
}

/** All jobs, oldest first. */
export function listJobs(db: Db) {
  return db.selectFrom('jobs').selectAll().orderBy('id').execute()
}
