// The result of each dispatch that should stand at Reten, for comparing: the last one of its revision that was reported, its end
// before what only announced it. Nothing whose reporting is under way or waits for a person: there Reten may rightly show another.
import { sql } from 'kysely'
import type { ResultStatus } from '../dispatch/result.ts'
import type { Db } from './database.ts'
import { isEnd } from './result-end.ts'

export interface StandingResult {
  readonly id: string
  readonly dispatchId: string
  readonly activityId: string
  readonly commerceId: string
  readonly scheduledAt: Date | null
  readonly status: ResultStatus
  readonly occurredAt: Date
  /** As Reten was told it. */
  readonly code: string
  /** Another result of the dispatch has the same status and instant: only the code tells them apart. */
  readonly hasTwin: boolean
  readonly state: 'reported' | 'unproven'
}

export interface StandingResults {
  /** Reported before this: what Reten shows since then can be compared. As PostgreSQL writes it. */
  readonly before: string
  readonly connection: string
}

const COLUMNS = sql`r.id, r.dispatch_id as "dispatchId", d.activity_id as "activityId", d.commerce_id as "commerceId",
  d.scheduled_at as "scheduledAt", r.status, r.occurred_at as "occurredAt",
  coalesce(r.told_code, r.code) as code, r.state,
  exists (select from results p where p.dispatch_id = r.dispatch_id and p.id <> r.id and p.status = r.status
          and p.occurred_at = r.occurred_at and p.state in ('reported', 'unproven')) as "hasTwin"`

/** Those of these dispatches, by dispatch id. */
export async function loadStandingResults(
  db: Db,
  { before }: Pick<StandingResults, 'before'>,
  dispatchIds: readonly string[],
): Promise<ReadonlyMap<string, StandingResult>> {
  if (dispatchIds.length === 0) return new Map()
  const { rows } = await sql<StandingResult>`
    select distinct on (r.dispatch_id) ${COLUMNS}
    from results r join dispatches d on d.id = r.dispatch_id and d.revision = r.revision
    where r.dispatch_id = any(${dispatchIds}::uuid[]) and r.state in ('reported', 'unproven')
      and r.settled_at < ${before}::timestamptz
      and not exists (select from results o where o.dispatch_id = r.dispatch_id and o.state in ('pending', 'conflict'))
    order by r.dispatch_id, ${isEnd('r')} desc, r.settled_at desc`.execute(db)
  return new Map(rows.map((row) => [row.dispatchId, row]))
}

/** At most `limit` unproven ones of a connection, others each time: those that stay unproven must not hide the rest. */
export async function loadUnprovenResults(
  db: Db,
  { connection, before }: StandingResults,
  limit: number,
): Promise<readonly StandingResult[]> {
  const { rows } = await sql<StandingResult>`
    select ${COLUMNS}
    from results r join dispatches d on d.id = r.dispatch_id and d.revision = r.revision
    where r.connection = ${connection} and r.state = 'unproven' and r.settled_at < ${before}::timestamptz
      and not exists (select from results o where o.dispatch_id = r.dispatch_id and o.state in ('pending', 'conflict'))
      and (${isEnd('r')} or not exists (select from results o where o.dispatch_id = r.dispatch_id and ${isEnd('o')}))
    order by random() limit ${limit}`.execute(db)
  return rows
}
