import { sql } from 'kysely'
import type { Db } from './database.ts'

// Bodies are up to 16 MB each and their number is the sender's choice; the newest ones tell what changed.
const MAX_BODIES = 20

export interface StoredBody {
  readonly no: number
  readonly receivedAt: Date
  /** Hexadecimal. */
  readonly sha256: string
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Buffer
  /** Whether this is the one that is delivered. */
  readonly isCurrent: boolean
}

/** The bodies kept for a dispatch, the delivered one first; empty where retention has dropped them. */
export async function loadDispatchBodies(db: Db, dispatchId: string): Promise<StoredBody[]> {
  return db
    .selectFrom('dispatch_bodies as b')
    .innerJoin('dispatches as d', 'd.id', 'b.dispatch_id')
    .select([
      'b.body_no as no',
      'b.received_at as receivedAt',
      sql<string>`encode(b.sha256, 'hex')`.as('sha256'),
      'b.headers',
      'b.body as bytes',
      sql<boolean>`b.body_no = d.body_no and b.day = d.body_day`.as('isCurrent'),
    ])
    .where('b.dispatch_id', '=', dispatchId)
    .orderBy('isCurrent', 'desc')
    .orderBy('b.body_no', 'desc')
    .limit(MAX_BODIES)
    .execute()
}
