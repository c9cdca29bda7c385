// What is known of bodies and what changed in them, kept in one transaction with the bookmark it was read up to.
import { sql } from 'kysely'
import type { KnownFields } from '../dispatch/known-fields.ts'
import type { SchemaChange } from '../dispatch/schema-drift.ts'
import type { Db } from './database.ts'

/** What is known of one connection's bodies of one activity type. */
export interface StoredShape {
  readonly connection: string
  readonly activityType: string
  readonly shape: KnownFields
}

export interface NewKnowledge extends StoredShape {
  readonly changes: readonly SchemaChange[]
}

export interface DriftReading {
  readonly fromSeq: number
  readonly toSeq: number
  readonly knowledge: readonly NewKnowledge[]
}

/** Everything known of the bodies of these connections. */
export async function loadShapes(db: Db, connections: readonly string[]): Promise<readonly StoredShape[]> {
  if (connections.length === 0) return []
  return db
    .selectFrom('body_shapes')
    .select(['connection', 'activity_type as activityType', 'shape'])
    .where('connection', 'in', connections)
    .execute()
}

/** False, and nothing is kept, where another instance has moved the bookmark meanwhile. */
export async function keepDrift(db: Db, reading: DriftReading): Promise<boolean> {
  return db.transaction().execute(async (tx) => {
    const moved = await tx
      .updateTable('drift_bookmark')
      .set({ seq: reading.toSeq })
      .where('seq', '=', reading.fromSeq)
      .executeTakeFirst()
    if (moved.numUpdatedRows === 0n) return false
    const shapes = reading.knowledge.map(({ connection, activityType, shape }) => ({ connection, activityType, shape }))
    const changes = reading.knowledge.flatMap(({ connection, activityType, changes: own }) =>
      own.map((change) => ({ connection, activityType, ...change })),
    )
    await sql`
      insert into body_shapes (connection, activity_type, shape)
      select connection, "activityType", shape
      from json_to_recordset(${JSON.stringify(shapes)}::json) as s (connection text, "activityType" text, shape json)
      order by connection, "activityType"
      on conflict (connection, activity_type) do update set shape = excluded.shape, updated_at = now()`.execute(tx)
    await sql`
      insert into schema_changes (connection, activity_type, change, path, new_type, sample_path, types, former_types, bodies,
                                  first_seen_at, last_seen_at, told_at, ended_at)
      select connection, "activityType", change, path, case when change = 'retyped' then types[1] else '' end, "samplePath", types,
             "formerTypes", bodies, "firstAt", "lastAt", case when "isFresh" then now() else "firstAt" end, "endedAt"
      from json_to_recordset(${JSON.stringify(changes)}::json) as s (
        connection text, "activityType" text, change text, path text, "samplePath" text, types text[], "formerTypes" text[],
        bodies bigint, "firstAt" timestamptz, "lastAt" timestamptz, "endedAt" timestamptz, "isFresh" boolean)
      on conflict (connection, activity_type, change, path, new_type) do update set
        sample_path = excluded.sample_path, types = excluded.types, former_types = excluded.former_types,
        bodies = excluded.bodies, first_seen_at = excluded.first_seen_at, last_seen_at = excluded.last_seen_at,
        told_at = greatest(schema_changes.told_at, excluded.told_at), ended_at = excluded.ended_at`.execute(tx)
    return true
  })
}
