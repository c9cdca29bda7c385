// All connections and their usable keys in one reading: the catalog keeps it in memory, so that no request asks the database.
import { sql } from 'kysely'
import type { Db } from './database.ts'

export interface ConnectionRow {
  readonly name: string
  readonly provider: string
  readonly origin: 'environment' | 'managed'
  readonly state: 'active' | 'paused' | 'archived'
  readonly state_reason: string | null
  readonly refusals: number
  readonly probe_at: Date | null
  readonly reporting_state: 'active' | 'paused'
  readonly reporting_reason: string | null
  readonly reporting_refusals: number
  readonly reten_base_url: string | null
  readonly settings: unknown
  readonly provider_settings: Record<string, unknown>
  readonly secrets: Buffer | null
  readonly secrets_key_id: string | null
  readonly created_at: Date
  readonly updated_at: Date
}

export interface KeyRow {
  readonly id: string
  readonly connection: string
  readonly purpose: 'dispatch' | 'webhook'
  /** SHA-256 of the key, hexadecimal. */
  readonly digest: string
}

/**
 * Reads every connection, archived ones included, and the keys that are valid now. Keys first: a connection is never removed, so
 * none of them can be without its own.
 */
export async function loadConnections(db: Db): Promise<{ connections: ConnectionRow[]; keys: KeyRow[] }> {
  const keys = await db
    .selectFrom('connection_keys')
    .select(['id', 'connection', 'purpose', sql<string>`encode(digest, 'hex')`.as('digest')])
    .where('revoked_at', 'is', null)
    .where(sql<boolean>`coalesce(not_before <= now(), true) and coalesce(not_after > now(), true)`)
    .execute()
  const connections = await db
    .selectFrom('connections')
    .select([
      'name',
      'provider',
      'origin',
      'state',
      'state_reason',
      'refusals',
      'probe_at',
      'reporting_state',
      'reporting_reason',
      'reporting_refusals',
      'reten_base_url',
      'settings',
      'provider_settings',
      'secrets',
      'secrets_key_id',
      'created_at',
      'updated_at',
    ])
    .execute()
  return { connections, keys }
}
