// Changes in the fields of pushed bodies, those that were told last at the top.
import type { SchemaChangeKind } from '../dispatch/schema-drift.ts'
import type { Db } from './database.ts'

export interface DriftFilter {
  readonly connection?: string | undefined
  readonly change?: SchemaChangeKind | undefined
  /** Only changes that came up before this one. */
  readonly beforeId?: number | undefined
  readonly limit: number
}

export type ListedChange = Awaited<ReturnType<typeof listDrift>>[number]

/** At most `limit` changes. */
export async function listDrift(db: Db, filter: DriftFilter) {
  const { connection, change, beforeId, limit } = filter
  let query = db.selectFrom('schema_changes').selectAll().orderBy('id', 'desc').limit(limit)
  if (connection !== undefined) query = query.where('connection', '=', connection)
  if (change !== undefined) query = query.where('change', '=', change)
  if (beforeId !== undefined) query = query.where('id', '<', beforeId)
  return query.execute()
}
