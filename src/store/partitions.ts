// Day partitions of bodies and attempts. There is no default partition: a row that fits none would make the later partition
// impossible to attach, so the days are made ahead.
import { sql } from 'kysely'
import type { Db } from './database.ts'

/** Days made ahead: two weeks in which nobody needs to look after a service whose daily task is stuck. */
export const DAYS_AHEAD = 14

const PARTITIONED = ['dispatch_bodies', 'attempts'] as const
const PARTITION_LOCK = 7_360_911 // any number of our own; instances that start at once take turns

/**
 * Makes the partitions of today (UTC) and of the next 14 days that are not there yet; answers how many it made.
 * Each is made as a table of its own and then attached, which takes no lock that an insert waits for.
 */
export async function ensureDayPartitions(db: Db, daysAhead: number = DAYS_AHEAD): Promise<number> {
  return db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(${PARTITION_LOCK})`.execute(tx)
    const { rows } = await sql<{ parent: string; day: string; next: string; child: string }>`
      select parent, day::date::text as day, (day + interval '1 day')::date::text as next,
             parent || to_char(day, '"_"YYYYMMDD') as child
      from unnest(${sql.val([...PARTITIONED])}::text[]) as parent,
           generate_series((now() at time zone 'utc')::date::timestamp,
                           (now() at time zone 'utc')::date + ${daysAhead}::int, interval '1 day') as day
      where to_regclass(parent || to_char(day, '"_"YYYYMMDD')) is null
      order by day, parent`.execute(tx)
    for (const { parent, day, next, child } of rows) {
      await sql`create table ${sql.table(child)} (like ${sql.table(parent)} including all)`.execute(tx)
      await sql`alter table ${sql.table(parent)} attach partition ${sql.table(child)}
        for values from (${sql.lit(day)}) to (${sql.lit(next)})`.execute(tx)
    }
    return rows.length
  })
}
