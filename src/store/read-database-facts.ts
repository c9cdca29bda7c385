import { sql } from 'kysely'
import type { Db } from './database.ts'

/** What a PostgreSQL server says of itself. */
export interface DatabaseFacts {
  /** As a person reads it: `16.3`. */
  readonly version: string
  /** As it compares: 160003. */
  readonly versionNumber: number
  readonly isReadOnly: boolean
  /** Whether a commit that was answered survives a crash of the server. */
  readonly isDurable: boolean
  /** Connections that accounts like ours may open, all together. */
  readonly connectionLimit: number
  /** Connections that are open now and are not this service's. */
  readonly usedByOthers: number
}

/** Asks the server for its facts. Throws PostgreSQL's errors. */
export async function readDatabaseFacts(db: Db): Promise<DatabaseFacts> {
  // -1 is no limit. Sessions of other accounts hide what kind they are from an account without rights: counted as clients.
  const { rows } = await sql<DatabaseFacts>`
    select current_setting('server_version') as "version",
           current_setting('server_version_num')::int as "versionNumber",
           pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as "isReadOnly",
           current_setting('fsync')::boolean and current_setting('synchronous_commit') <> 'off' as "isDurable",
           least(
             current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
               - coalesce(current_setting('reserved_connections', true)::int, 0),
             (select nullif(datconnlimit, -1) from pg_database where datname = current_database()),
             (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user)
           ) as "connectionLimit",
           (select count(*) from pg_stat_activity
            where coalesce(backend_type, 'client backend') = 'client backend' and usesysid is not null
              and not coalesce(datname = current_database() and application_name like 'reten-dispatch-%', false)
           )::int as "usedByOthers"`.execute(db)
  const [facts] = rows
  if (facts === undefined) throw new Error('the server answered no facts')
  return facts
}
