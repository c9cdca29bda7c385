import { hash } from 'node:crypto'
import type { Db } from '../../src/store/database.ts'

/** The dispatch key of `acme`. */
export const KEY = 'a-key-of-acme-0123456789'

/** A connection's row with one key; what is absent has a default. */
export interface ConnectionInput {
  readonly name?: string | undefined
  readonly provider?: string | undefined
  readonly state?: 'active' | 'paused' | 'archived' | undefined
  readonly settings?: Readonly<Record<string, unknown>> | undefined
  /** Null: without a key. */
  readonly key?: string | null | undefined
}

/** Adds a connection and its dispatch key. */
export async function addConnection(db: Db, input: ConnectionInput = {}): Promise<void> {
  const { name = 'acme', provider = 'mock', state = 'active', settings = {}, key = KEY } = input
  const reason = state === 'paused' ? 'for a test' : null
  const row = { name, provider, state, state_reason: reason, settings: JSON.stringify(settings) }
  await db.insertInto('connections').values(row).execute()
  if (key !== null) await addKey(db, { connection: name, key })
}

/** A key's row; instants are ISO 8601. */
export interface KeyInput {
  readonly connection?: string
  readonly key: string
  readonly purpose?: 'dispatch' | 'webhook'
  readonly notBefore?: string
  readonly notAfter?: string
  readonly revokedAt?: string
}

/** Adds a key to a connection. */
export async function addKey(db: Db, input: KeyInput): Promise<void> {
  await db
    .insertInto('connection_keys')
    .values({
      connection: input.connection ?? 'acme',
      purpose: input.purpose ?? 'dispatch',
      digest: Buffer.from(hash('sha256', input.key, 'hex'), 'hex'),
      label: null,
      not_before: input.notBefore ?? null,
      not_after: input.notAfter ?? null,
      revoked_at: input.revokedAt ?? null,
    })
    .execute()
}
