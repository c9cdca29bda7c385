import type { Db } from './database.ts'
import { writeAudit } from './write-audit.ts'
import type { Author } from './write-audit.ts'

export interface ReconciliationRequest {
  readonly connection: string
  readonly reason: string
  readonly author: Author
}

/**
 * Asks for a comparison, and writes down who and why. Where one was asked for that has not begun, that one is answered: it will
 * see all that this one would.
 */
export async function requestReconciliation(
  db: Db,
  { connection, reason, author }: ReconciliationRequest,
): Promise<{ readonly id: number; readonly isNew: boolean }> {
  return db.transaction().execute(async (tx) => {
    const open = await tx
      .selectFrom('reconciliations')
      .select('id')
      .where('connection', '=', connection)
      .where('started_at', 'is', null)
      .forUpdate()
      .executeTakeFirst()
    const { id } =
      open ??
      (await tx
        .insertInto('reconciliations')
        .values({ connection, requested_by: author.actor, reason })
        .returning('id')
        .executeTakeFirstOrThrow())
    const isNew = open === undefined
    await writeAudit(tx, {
      author,
      action: 'reconciliation.requested',
      connection,
      target: String(id),
      reason,
      detail: { isNew },
    })
    return { id, isNew }
  })
}
