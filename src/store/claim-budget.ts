// The part of a claim that keeps to a connection's rate: a token bucket, counted under the lock on the connection's row that the
// claim holds already, so that all instances together keep to it.
//
// A bucket holds one second's worth of its rate, at least one token; it starts full. So no stretch of t seconds sees more than
// rate * t + max(1, rate) deliveries begun, by however many instances.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { JobKind } from './tables.ts'

// statement_timestamp() and not now(): the claim's transaction may have begun before the lock was had, and time that went by
// before another claimer counted would be counted twice.
const NOW = sql`statement_timestamp()`

/**
 * Part `budget`: of the shares (`share`: connection, rate_per_second), those that have a limit now, with the tokens they have
 * left: none while closed. A connection without a row here is not limited.
 */
export function openBudgets(kind: JobKind): RawBuilder<unknown> {
  const burst = sql`greatest(1, share.rate_per_second)`
  return sql`
    select share.connection, share.rate_per_second,
           case when b.closed_until > ${NOW} then 0
                -- The server's clock was set back: waiting for it to catch up could be waiting for hours.
                when b.counted_at > ${NOW} + interval '1 second' then ${burst}
                else least(${burst}, coalesce(b.tokens + share.rate_per_second
                       * greatest(0, extract(epoch from ${NOW} - b.counted_at)::float8), ${burst})) end as tokens
    from share left join connection_budgets b on b.connection = share.connection and b.kind = ${kind}
    where share.rate_per_second is not null or b.closed_until > ${NOW}`
}

/** Part `spent`: writes down what the claim took (`taken`: connection) of the budgets that have a rate. */
export function spendTokens(kind: JobKind): RawBuilder<unknown> {
  return sql`
    insert into connection_budgets (connection, kind, tokens, counted_at)
    select budget.connection, ${kind}, budget.tokens - count(*), ${NOW}
    from taken join budget on budget.connection = taken.connection
    where budget.rate_per_second is not null
    group by budget.connection, budget.tokens
    on conflict (connection, kind) do update set tokens = excluded.tokens, counted_at = excluded.counted_at`
}
