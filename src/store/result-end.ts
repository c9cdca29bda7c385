import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'

/**
 * Whether a result is the end of its dispatch, as somebody told it who knows. PENDING announces an end, and what the service says
 * of itself (that a delivery was given up) stands only until the provider or a person says more. `alias` names the results table.
 */
export function isEnd(alias: string): RawBuilder<boolean> {
  const results = sql.raw(alias)
  return sql<boolean>`(${results}.status <> 'PENDING' and ${results}.source <> 'service')`
}
