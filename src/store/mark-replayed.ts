import { sql } from 'kysely'
import type { Db } from './database.ts'
import { writeAudit } from './write-audit.ts'
import type { Author } from './write-audit.ts'

export interface QuarantineReplayed {
  readonly id: string
  readonly connection: string
  readonly dispatchId: string
  readonly reason: string
  readonly author: Author
}

/** Notes that a quarantined body became a dispatch; the body stays where it is. Committed when it resolves. */
export async function markReplayed(db: Db, replayed: QuarantineReplayed): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx
      .updateTable('quarantine')
      .set({ replayed_at: sql<Date>`now()`, dispatch_id: replayed.dispatchId })
      .where('id', '=', replayed.id)
      .execute()
    await writeAudit(tx, {
      author: replayed.author,
      action: 'quarantine.replayed',
      connection: replayed.connection,
      target: replayed.dispatchId,
      reason: replayed.reason,
      detail: { quarantineId: replayed.id },
    })
  })
}
