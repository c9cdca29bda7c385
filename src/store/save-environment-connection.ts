// The connection that comes from the environment has a row like any other, so that it can be paused and shows up in lists; its
// keys and secrets stay in the environment.
import { sql } from 'kysely'
import type { Db } from './database.ts'
import { releaseHeld } from './release-held.ts'

export interface EnvironmentConnectionRow {
  readonly name: string
  readonly provider: string
  readonly retenBaseUrl: string | undefined
  readonly settings: unknown
  readonly providerSettings: Readonly<Record<string, unknown>>
}

/** Writes the row where it is new or changed; a pause survives, an archived one comes back. What waited for a setting is looked at. */
export async function saveEnvironmentConnection(db: Db, row: EnvironmentConnectionRow): Promise<void> {
  await sql`
    insert into connections as c (name, provider, origin, reten_base_url, settings, provider_settings)
    values (${row.name}, ${row.provider}, 'environment', ${row.retenBaseUrl ?? null},
            ${JSON.stringify(row.settings)}, ${JSON.stringify(row.providerSettings)})
    on conflict (name) do update set
      provider = excluded.provider, origin = 'environment', reten_base_url = excluded.reten_base_url,
      settings = excluded.settings, provider_settings = excluded.provider_settings,
      state = case when c.state = 'archived' then 'active' else c.state end,
      state_reason = case when c.state = 'archived' then null else c.state_reason end,
      state_changed_at = case when c.state = 'archived' then now() else c.state_changed_at end,
      updated_at = now()
    where (c.provider, c.origin, c.reten_base_url, c.settings, c.provider_settings, c.state = 'archived')
      is distinct from (excluded.provider, 'environment', excluded.reten_base_url, excluded.settings,
                        excluded.provider_settings, false)`.execute(db)
  await releaseHeld(db, row.name)
}
