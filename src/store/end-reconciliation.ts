import { sql } from 'kysely'
import type { Finding } from '../dispatch/finding.ts'
import { storable } from './attempt.ts'
import type { Db } from './database.ts'

/** What a comparison came to. */
export interface EndedReconciliation {
  readonly pages: number
  readonly seen: number
  readonly missing: number
  readonly waiting: number
  readonly canceled: number
  readonly proven: number
  readonly reportedAgain: number
  /** All of them; `findings` may hold fewer. */
  readonly differences: number
  readonly findings: readonly Finding[]
  readonly isWhole: boolean
  readonly error: string | undefined
}

// One comparison every two minutes is 720 a day: those that found nothing are told by the metrics after that.
const UNEVENTFUL_DAYS = 1
const EVENTFUL_DAYS = 90

/** Writes down what it came to, and drops what is old of its connection's history. */
export async function endReconciliation(
  db: Db,
  { id, connection }: { readonly id: number; readonly connection: string },
  ended: EndedReconciliation,
): Promise<void> {
  await db
    .updateTable('reconciliations')
    .set({
      finished_at: sql<Date>`clock_timestamp()`,
      pages: ended.pages,
      seen: ended.seen,
      missing: ended.missing,
      waiting: ended.waiting,
      canceled: ended.canceled,
      proven: ended.proven,
      reported_again: ended.reportedAgain,
      differences: ended.differences,
      findings: JSON.stringify(ended.findings),
      is_whole: ended.isWhole,
      error: storable(ended.error),
    })
    .where('id', '=', id)
    .where('finished_at', 'is', null)
    .execute()
  await sql`
    delete from reconciliations
    where connection = ${connection} and finished_at < now() - make_interval(days => ${UNEVENTFUL_DAYS})
      and (finished_at < now() - make_interval(days => ${EVENTFUL_DAYS})
           or (requested_by is null and error is null and missing + canceled + proven + reported_again + differences = 0))
  `.execute(db)
}
