import { sql } from 'kysely'
import type { Db } from './database.ts'

/** Keys that were refused may have been changed: they are tried at once, and not only when their time has come. */
export async function probeSoon(db: Db, name: string): Promise<void> {
  await sql`
    update connections set
      probe_at = case when probe_at is null then null else now() end,
      reporting_probe_at = case when reporting_probe_at is null then null else now() end
    where name = ${name}`.execute(db)
}
