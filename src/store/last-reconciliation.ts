// How the comparisons of a connection stand, over all instances. Ages are by the database's clock alone.
import { sql } from 'kysely'
import type { Db } from './database.ts'

export interface LastReconciliation {
  readonly connection: string
  /** Somebody asked for one that has not begun. */
  readonly isRequested: boolean
  /** Seconds since the last one that ended began; null: none ever ended. */
  readonly beganSecondsAgo: number | null
  /** How long that one took. */
  readonly tookSeconds: number | null
  /** Why that one did not come to its end. */
  readonly error: string | null
  /** The end of the last one that came to its end. */
  readonly lastSuccessAt: Date | null
}

/** For each of these connections. */
export async function loadLastReconciliations(
  db: Db,
  connections: readonly string[],
): Promise<ReadonlyMap<string, LastReconciliation>> {
  if (connections.length === 0) return new Map()
  const { rows } = await sql<LastReconciliation>`
    select name as connection,
           exists (select from reconciliations r
                   where r.connection = name and r.started_at is null and r.finished_at is null) as "isRequested",
           extract(epoch from now() - last.started_at)::float8 as "beganSecondsAgo",
           extract(epoch from last.finished_at - last.started_at)::float8 as "tookSeconds",
           last.error, good.finished_at as "lastSuccessAt"
    from unnest(${connections}::text[]) as name
    left join lateral (
      select started_at, finished_at, error from reconciliations r
      where r.connection = name and r.finished_at is not null order by id desc limit 1
    ) last on true
    left join lateral (
      select finished_at from reconciliations r
      where r.connection = name and r.finished_at is not null and r.error is null order by id desc limit 1
    ) good on true`.execute(db)
  return new Map(rows.map((row) => [row.connection, row]))
}
