// Making and changing managed connections. A name that was archived comes back as the same connection: same dispatch ids,
// same keys. Secrets arrive sealed; this file never sees them open.
import { sql } from 'kysely'
import type { Sealed } from '../secret-box.ts'
import type { Db, Tx } from './database.ts'
import { probeSoon } from './probe-soon.ts'
import { releaseHeld } from './release-held.ts'
import { writeAudit } from './write-audit.ts'
import type { Author } from './write-audit.ts'

/** What of a connection can be written; everything is checked before it comes here. */
export interface ConnectionValues {
  readonly retenBaseUrl: string | undefined
  readonly settings: Readonly<Record<string, unknown>>
  readonly providerSettings: Readonly<Record<string, unknown>>
  readonly secrets: Sealed | undefined
}

export interface NewConnection extends ConnectionValues {
  readonly name: string
  readonly provider: string
}

/** What a change starts from. */
export interface StoredConnection extends ConnectionValues {
  readonly name: string
  readonly provider: string
}

/** What a change ends with: the values, and what of them the audit log may hold. */
export interface ChangedConnection {
  readonly values: ConnectionValues
  readonly detail: Readonly<Record<string, unknown>>
}

/** Makes a connection, or brings an archived one back with these values; `exists` where one of that name is in use. */
export async function createConnection(
  db: Db,
  input: NewConnection,
  author: Author,
): Promise<'created' | 'restored' | 'exists'> {
  return db.transaction().execute(async (tx) => {
    const written = await upsert(tx, input)
    if (written === undefined) return 'exists'
    const action = written.is_new ? 'connection.created' : 'connection.restored'
    const detail = { provider: input.provider, settings: input.settings, providerSettings: input.providerSettings }
    await writeAudit(tx, { author, action, connection: input.name, target: input.name, detail })
    return written.is_new ? 'created' : 'restored'
  })
}

/**
 * Changes a managed connection: `change` answers the new values and what of them to put in the audit log. Its row is locked
 * meanwhile, so that two changes never undo each other. Whatever `change` throws is passed on and nothing is written.
 */
export async function changeConnection(
  db: Db,
  name: string,
  author: Author,
  change: (current: StoredConnection) => Promise<ChangedConnection>,
): Promise<'changed' | 'not_found' | 'environment'> {
  return db.transaction().execute(async (tx) => {
    const row = await tx.selectFrom('connections').selectAll().where('name', '=', name).forUpdate().executeTakeFirst()
    if (row === undefined || row.state === 'archived') return 'not_found'
    if (row.origin === 'environment') return 'environment'
    const current: StoredConnection = {
      name,
      provider: row.provider,
      retenBaseUrl: row.reten_base_url ?? undefined,
      // Written by this file alone, from a record.
      settings: row.settings as Record<string, unknown>,
      providerSettings: row.provider_settings,
      secrets:
        row.secrets === null || row.secrets_key_id === null
          ? undefined
          : { bytes: row.secrets, keyId: row.secrets_key_id },
    }
    const { values, detail } = await change(current)
    await tx
      .updateTable('connections')
      .set({ ...toColumns(values), updated_at: sql<Date>`now()` })
      .where('name', '=', name)
      .execute()
    await probeSoon(tx, name)
    await releaseHeld(tx, name)
    await writeAudit(tx, { author, action: 'connection.changed', connection: name, target: name, detail })
    return 'changed'
  })
}

async function upsert(tx: Tx, input: NewConnection): Promise<{ is_new: boolean } | undefined> {
  const columns = toColumns(input)
  return (
    tx
      .insertInto('connections')
      .values({ name: input.name, provider: input.provider, ...columns })
      .onConflict((conflict) =>
        conflict
          .column('name')
          .doUpdateSet({
            ...columns,
            provider: input.provider,
            origin: 'managed',
            state: 'active',
            state_reason: null,
            state_changed_at: sql<Date>`now()`,
            refusals: 0,
            probe_at: null,
            reporting_state: 'active',
            reporting_reason: null,
            reporting_changed_at: sql<Date>`now()`,
            reporting_refusals: 0,
            reporting_probe_at: null,
            updated_at: sql<Date>`now()`,
          })
          .where('connections.state', '=', 'archived'),
      )
      // now() is the same throughout a transaction: only a row that this one made was created now.
      .returning(sql<boolean>`created_at = now()`.as('is_new'))
      .executeTakeFirst()
  )
}

function toColumns(values: ConnectionValues) {
  return {
    reten_base_url: values.retenBaseUrl ?? null,
    settings: JSON.stringify(values.settings),
    provider_settings: JSON.stringify(values.providerSettings),
    secrets: values.secrets?.bytes ?? null,
    secrets_key_id: values.secrets?.keyId ?? null,
  }
}
