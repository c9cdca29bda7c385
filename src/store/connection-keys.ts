// The keys that others call a connection with. Only SHA-256 digests are here: a key that was lost cannot be shown again.
import { hash } from 'node:crypto'
import { sql } from 'kysely'
import type { Db, Tx } from './database.ts'
import { isUniqueViolation } from './database-errors.ts'
import { writeAudit } from './write-audit.ts'
import type { Author } from './write-audit.ts'

export interface NewKey {
  readonly connection: string
  readonly purpose: 'dispatch' | 'webhook'
  readonly key: string
  readonly label: string | undefined
  /** ISO 8601. */
  readonly notBefore: string | undefined
  /** ISO 8601. */
  readonly notAfter: string | undefined
  /** The connection's other keys of this purpose end that many seconds from now, or earlier where they would anyway. */
  readonly othersEndAfterSeconds?: number | undefined
}

export type ShownKey = Awaited<ReturnType<typeof listKeys>>[number]

/** A connection's keys, oldest first, revoked and expired ones included. */
export async function listKeys(db: Db, connection: string) {
  return selectKeys(db).where('connection', '=', connection).orderBy('created_at').orderBy('id').execute()
}

/**
 * Stores a key and answers it with how many others were given an end; undefined where the same key stands already, at this
 * connection or another.
 */
export async function insertKey(
  db: Db,
  input: NewKey,
  author: Author,
): Promise<{ readonly key: ShownKey; readonly limited: number } | undefined> {
  try {
    return await db.transaction().execute(async (tx) => {
      const { id } = await tx
        .insertInto('connection_keys')
        .values({
          connection: input.connection,
          purpose: input.purpose,
          digest: Buffer.from(hash('sha256', input.key, 'hex'), 'hex'),
          label: input.label ?? null,
          not_before: input.notBefore ?? null,
          not_after: input.notAfter ?? null,
        })
        .returning('id')
        .executeTakeFirstOrThrow()
      const detail = { purpose: input.purpose, label: input.label, notAfter: input.notAfter }
      await writeAudit(tx, { author, action: 'key.created', connection: input.connection, target: id, detail })
      const limited = await limitOthers(tx, input, id, author)
      return { key: await selectKeys(tx).where('id', '=', id).executeTakeFirstOrThrow(), limited }
    })
  } catch (error) {
    if (isUniqueViolation(error)) return undefined
    throw error
  }
}

/** Revokes a key at once and for good; `revoked` too where it was already, undefined where the connection has no such key. */
export async function revokeKey(
  db: Db,
  input: { readonly connection: string; readonly id: string; readonly author: Author },
): Promise<'revoked' | undefined> {
  return db.transaction().execute(async (tx) => {
    const row = await tx
      .updateTable('connection_keys')
      .set({ revoked_at: sql<Date>`coalesce(revoked_at, now())` })
      .where('id', '=', input.id)
      .where('connection', '=', input.connection)
      .returning(sql<boolean>`revoked_at = now()`.as('is_new'))
      .executeTakeFirst()
    if (row === undefined) return undefined
    if (row.is_new) {
      const { author, connection, id } = input
      await writeAudit(tx, { author, action: 'key.revoked', connection, target: id })
    }
    return 'revoked'
  })
}

async function limitOthers(tx: Tx, input: NewKey, ownId: string, author: Author): Promise<number> {
  if (input.othersEndAfterSeconds === undefined) return 0
  const end = sql<Date>`now() + ${input.othersEndAfterSeconds} * interval '1 second'`
  const rows = await tx
    .updateTable('connection_keys')
    .set({ not_after: end })
    .where('connection', '=', input.connection)
    .where('purpose', '=', input.purpose)
    .where('id', '<>', ownId)
    .where('revoked_at', 'is', null)
    .where(sql<boolean>`coalesce(not_after > ${end}, true)`)
    .returning('id')
    .execute()
  const detail = { seconds: input.othersEndAfterSeconds }
  for (const { id } of rows) {
    await writeAudit(tx, { author, action: 'key.limited', connection: input.connection, target: id, detail })
  }
  return rows.length
}

function selectKeys(db: Db) {
  return db
    .selectFrom('connection_keys')
    .select([
      'id',
      'connection',
      'purpose',
      'label',
      'not_before',
      'not_after',
      'revoked_at',
      'last_used_at',
      'created_at',
      sql<boolean>`revoked_at is null and coalesce(not_before <= now(), true) and coalesce(not_after > now(), true)`.as(
        'is_usable',
      ),
    ])
}
