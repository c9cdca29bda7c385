// A page of results, newest first. What waits, and what somebody should look at, is found without reading what is done: by the jobs,
// which are as few as the backlog, and by the index over marked results. Any state can be listed of one dispatch.
import { sql } from 'kysely'
import type { ResultState } from '../dispatch/result.ts'
import type { Db } from './database.ts'

/** States that are listed over all dispatches: those that wait, and those that somebody should look at. */
export const OPEN_RESULT_STATES = [
  'pending',
  'failed',
  'unproven',
  'conflict',
] as const satisfies readonly ResultState[]

export interface ResultFilter {
  /** Default: without a dispatch, `OPEN_RESULT_STATES`; with one, any. */
  readonly state?: ResultState | undefined
  readonly connection?: string | undefined
  readonly dispatchId?: string | undefined
  /** Only those that wait for a setting. */
  readonly isHeld?: boolean
  /** Only what was made before this one. */
  readonly before?: { readonly createdAtMicros: number; readonly id: string } | undefined
  readonly limit: number
}

export type ListedResult = Awaited<ReturnType<typeof listResults>>[number]

/** At most `limit` results that fit the filter, newest first. */
export async function listResults(db: Db, filter: ResultFilter) {
  const { dispatchId, before } = filter
  let query = selectResults(db).orderBy('r.created_at', 'desc').orderBy('r.id', 'desc').limit(filter.limit)
  if (dispatchId !== undefined) query = query.where('r.dispatch_id', '=', dispatchId)
  else {
    query = query.where(sql<boolean>`r.id in (
      select id from results where attention_at is not null
      union all select result_id from jobs where kind = 'report')`)
  }
  if (filter.state !== undefined) query = query.where('r.state', '=', filter.state)
  else if (dispatchId === undefined) query = query.where('r.state', 'in', OPEN_RESULT_STATES)
  if (filter.connection !== undefined) query = query.where('r.connection', '=', filter.connection)
  if (filter.isHeld === true) query = query.where('r.state', '=', 'pending').where('r.reason_code', 'is not', null)
  if (before !== undefined) {
    const at = sql`to_timestamp(0) + ${before.createdAtMicros}::bigint * interval '1 microsecond'`
    query = query.where(sql<boolean>`(r.created_at, r.id) < (${at}, ${before.id}::uuid)`)
  }
  return query.execute()
}

function selectResults(db: Db) {
  return db
    .selectFrom('results as r')
    .innerJoin('dispatches as d', 'd.id', 'r.dispatch_id')
    .leftJoin('jobs as j', (join) => join.onRef('j.result_id', '=', 'r.id').on('j.kind', '=', 'report'))
    .selectAll('r')
    .select([
      'd.activity_id',
      'd.state as dispatch_state',
      'j.due_at as job_due_at',
      'j.leased_until as job_leased_until',
      'j.attempts as job_attempts',
      // PostgreSQL's microseconds: a JavaScript Date would cut the place where a page ends.
      sql<number>`(extract(epoch from r.created_at) * 1000000)::bigint`.as('created_at_micros'),
    ])
}
