// The state of the queue in one reading of the jobs table, which is as small as the backlog.
import { sql } from 'kysely'
import type { Db } from './database.ts'
import type { JobKind } from './tables.ts'

/** What one connection has of one kind of job. */
export interface QueueSample {
  readonly connection: string
  readonly kind: JobKind
  readonly jobs: number
  /** How long the oldest due job that nobody has is past due; 0 when none is. */
  readonly oldestDueSeconds: number
  readonly parked: number
}

/** Reads every connection's jobs by kind; a connection without jobs of a kind has no row. */
export async function sampleQueue(db: Db): Promise<readonly QueueSample[]> {
  const { rows } = await sql<QueueSample>`
    select connection, kind, count(*) as jobs, count(parked_reason) as parked,
           coalesce(greatest(extract(epoch from now() - min(due_at)
             filter (where leased_until is null and parked_reason is null)), 0), 0)::float8 as "oldestDueSeconds"
    from jobs group by connection, kind`.execute(db)
  return rows
}
