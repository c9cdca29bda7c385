// A page of the quarantine, the bodies seen last first. The keyset is the time of the last arrival, in microseconds as
// PostgreSQL keeps it: milliseconds would skip rows.
import { sql } from 'kysely'
import type { Db } from './database.ts'

/** Where a page ended. */
export interface QuarantinePosition {
  readonly lastReceivedMicros: number
  readonly id: string
}

export interface QuarantineFilter {
  readonly connection?: string | undefined
  readonly after?: QuarantinePosition | undefined
  /** Only bodies that did not become a dispatch yet. */
  readonly isOpen?: boolean | undefined
  readonly limit: number
}

export type QuarantinedBody = Awaited<ReturnType<typeof listQuarantine>>[number]

const MICROS = sql<number>`(extract(epoch from last_received_at) * 1000000)::bigint`

/** At most `limit` bodies that fit the filter, without their bytes. */
export async function listQuarantine(db: Db, filter: QuarantineFilter) {
  let query = selectQuarantine(db).orderBy('last_received_at', 'desc').orderBy('id', 'desc').limit(filter.limit)
  if (filter.connection !== undefined) query = query.where('connection', '=', filter.connection)
  if (filter.isOpen === true) query = query.where('replayed_at', 'is', null)
  if (filter.after !== undefined) {
    const { lastReceivedMicros, id } = filter.after
    const at = sql`'epoch'::timestamptz + ${lastReceivedMicros}::bigint * interval '1 microsecond'`
    query = query.where(sql<boolean>`(last_received_at, id) < (${at}, ${id}::uuid)`)
  }
  return query.execute()
}

/** One quarantined body with its bytes, or undefined. */
export async function loadQuarantined(db: Db, id: string) {
  return selectQuarantine(db).select(['headers', 'body']).where('id', '=', id).executeTakeFirst()
}

function selectQuarantine(db: Db) {
  return db
    .selectFrom('quarantine')
    .select([
      'id',
      'connection',
      'activity_id',
      'dispatch_id',
      'code',
      'details',
      'content_type',
      'times',
      'first_received_at',
      'last_received_at',
      'replayed_at',
      sql<string>`encode(sha256, 'hex')`.as('sha256'),
      sql<number>`octet_length(body)`.as('body_bytes'),
      MICROS.as('last_received_micros'),
    ])
}
