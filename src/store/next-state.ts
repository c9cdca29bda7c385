import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { DispatchState } from '../dispatch/states.ts'

/**
 * One row of the transition table as SQL over the column `state`: the next state, or the present one where the event
 * changes nothing. So the rules stand in one place, and a statement needs no read before its write.
 */
export function nextState(row: Partial<Record<DispatchState, DispatchState>>): RawBuilder<DispatchState> {
  const cases = Object.entries(row).map(([from, to]) => sql`when ${sql.lit(from)} then ${sql.lit(to)}`)
  return sql<DispatchState>`case state ${sql.join(cases, sql` `)} else state end`
}
