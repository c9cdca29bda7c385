// Connections as operators see them: what the rows say, archived ones included. The running service uses the catalog instead.
import { sql } from 'kysely'
import type { ConnectionState } from '../connection.ts'
import type { Db } from './database.ts'
import type { JobKind } from './tables.ts'

export type ShownConnection = Awaited<ReturnType<typeof listConnections>>[number]

/** Connections by name; without a state, all but the archived ones. */
export async function listConnections(db: Db, filter: { readonly state?: ConnectionState | undefined }) {
  const query = selectConnections(db).orderBy('name')
  return filter.state === undefined
    ? query.where('state', '<>', 'archived').execute()
    : query.where('state', '=', filter.state).execute()
}

/** One connection, archived or not; undefined where the name was never used. */
export async function showConnection(db: Db, name: string): Promise<ShownConnection | undefined> {
  return selectConnections(db).where('name', '=', name).executeTakeFirst()
}

/** How many jobs of a connection are not done. */
export async function countJobs(db: Db, connection: string): Promise<number> {
  const { jobs } = await db
    .selectFrom('jobs')
    .select(sql<number>`count(*)`.as('jobs'))
    .where('connection', '=', connection)
    .executeTakeFirstOrThrow()
  return jobs
}

function selectConnections(db: Db) {
  return db
    .selectFrom('connections')
    .select([
      'name',
      'provider',
      'origin',
      'state',
      'state_reason',
      'state_changed_at',
      'refusals',
      'probe_at',
      'reporting_state',
      'reporting_reason',
      'reporting_changed_at',
      'reporting_refusals',
      'reporting_probe_at',
      'reten_base_url',
      'settings',
      'provider_settings',
      'secrets',
      'secrets_key_id',
      'created_at',
      'updated_at',
      heldOffUntil('deliver').as('held_off_until'),
      heldOffUntil('report').as('reporting_held_off_until'),
    ])
}

/** Until when its destination asked to be left alone; null where it did not, or that time is over. */
function heldOffUntil(kind: JobKind) {
  return sql<Date | null>`(
    select b.closed_until from connection_budgets b
    where b.connection = connections.name and b.kind = ${kind} and b.closed_until > now())`
}
