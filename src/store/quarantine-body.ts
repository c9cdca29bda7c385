// Authenticated bodies that could not be read as an activity. The same body over the same connection stands here once.
import { hash } from 'node:crypto'
import { sql } from 'kysely'
import { uuidFromDigest } from '../dispatch/identity.ts'
import type { Fault } from '../errors.ts'
import type { Db } from './database.ts'

export interface UnreadableBody {
  readonly connection: string
  /** Undefined where not even the id could be read. */
  readonly activityId: string | undefined
  readonly dispatchId: string | undefined
  readonly code: string
  readonly details: readonly Fault[]
  readonly contentType: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** Keeps an unreadable body, or counts it where it is kept already; answers its id. Committed when it resolves. */
export async function quarantineBody(db: Db, unreadable: UnreadableBody): Promise<string> {
  const digest = hash('sha256', unreadable.body, 'hex')
  const id = uuidFromDigest(hash('sha256', `quarantine\n${unreadable.connection}\n${digest}`, 'hex'))
  await db
    .insertInto('quarantine')
    .values({
      id,
      connection: unreadable.connection,
      activity_id: unreadable.activityId ?? null,
      dispatch_id: unreadable.dispatchId ?? null,
      code: unreadable.code,
      details: JSON.stringify(unreadable.details),
      content_type: unreadable.contentType ?? null,
      headers: JSON.stringify(unreadable.headers),
      sha256: Buffer.from(digest, 'hex'),
      body: unreadable.body,
    })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({
        times: sql<number>`quarantine.times + 1`,
        last_received_at: sql<Date>`now()`,
        // What is shown is the latest reading; a mapping that was repaired meanwhile may tell the id by now. What was once
        // known of it stays.
        activity_id: sql<string | null>`coalesce(excluded.activity_id, quarantine.activity_id)`,
        dispatch_id: sql<string | null>`coalesce(excluded.dispatch_id, quarantine.dispatch_id)`,
        code: sql<string>`excluded.code`,
        details: sql<string>`excluded.details`,
        content_type: sql<string | null>`excluded.content_type`,
        headers: sql<string>`excluded.headers`,
      }),
    )
    .execute()
  return id
}
