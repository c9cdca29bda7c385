import type { Db } from './database.ts'

export interface ReconciliationFilter {
  readonly connection?: string | undefined
  /** Only those with a smaller id. */
  readonly beforeId?: number | undefined
  readonly limit: number
}

export type Reconciliation = Awaited<ReturnType<typeof listReconciliations>>[number]

/** At most `limit` comparisons, the newest first. */
export async function listReconciliations(db: Db, filter: ReconciliationFilter) {
  let query = db.selectFrom('reconciliations').selectAll().orderBy('id', 'desc').limit(filter.limit)
  if (filter.connection !== undefined) query = query.where('connection', '=', filter.connection)
  if (filter.beforeId !== undefined) query = query.where('id', '<', filter.beforeId)
  return query.execute()
}
