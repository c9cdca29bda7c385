// Which connections have something due, and from where on to look for it: one statement whose cost follows the number of
// connections with jobs, neither all connections nor all jobs, and not what vacuum has not taken away yet.
//
// Connections that are known are asked one by one, each from its horizon on. The others are found between them by a loose index
// scan that steps from one connection to the next. Where the order per commerce is kept, a look ends after ORDERED_WINDOW jobs, and
// says so.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { commerceOrder, isInCommerceTurn } from './commerce-order.ts'
import type { Db } from './database.ts'
import type { JobKind } from './tables.ts'

/**
 * Where a connection's jobs begin: nothing that was visible and due lay before `dueFrom`, no lease ended before `leasedFrom`.
 * Absent: unknown, look from the beginning.
 */
export interface Horizon {
  readonly dueFrom?: Date | undefined
  readonly leasedFrom?: Date | undefined
}

export interface FoundConnection extends Horizon {
  readonly connection: string
  /** False for a known connection that has nothing to claim right now. */
  readonly isDue: boolean
  /** It keeps the order per commerce, and more is due than was looked at: commerces have to be asked one by one. */
  readonly isCrowded: boolean
  /** From where on to look if no commerce has anything that is in turn. */
  readonly dueFromIfNone: Date
}

type FoundRow = Omit<FoundConnection, 'leasedFrom'> & { readonly leasedFrom: Date | null }

export interface DueRequest {
  readonly kind: JobKind
  readonly known: ReadonlyMap<string, Horizon>
  /** What claims of this kind set; where nothing is leased, no lease to come ends before it. */
  readonly leaseSeconds: number
}

/**
 * How far behind the oldest a horizon stays, in seconds. `due_at` is the beginning of a transaction, so one that commits late adds
 * jobs to the past; most are this late at the most, the rest is found from the beginning, see due-search.ts.
 */
export const HORIZON_MARGIN_SECONDS = 0.25

/** The same for leases: from the moment one is made to the end of the transaction that made it, on a disk that stalls. */
const LEASE_MARGIN_SECONDS = 2

/**
 * How many due jobs a look by time goes through where the order per commerce is kept: a whole backlog may wait for one job, and
 * each has to be asked whether it is in turn.
 */
export const ORDERED_WINDOW = 200

// Behind every name: names have 63 characters at most, and z is the last of those they are made of.
const BEHIND_ALL = 'z'.repeat(64)

/** The connections that have a due, unleased job of `kind`, and every known one, each with its horizon as it is now. */
export async function findDueConnections(db: Db, request: DueRequest): Promise<readonly FoundConnection[]> {
  const { kind, leaseSeconds } = request
  const names = [...request.known.keys()]
  const horizons = [...request.known.values()]
  const margin = sql`make_interval(secs => ${HORIZON_MARGIN_SECONDS})`
  // Deliveries that wait for others of their commerce are passed over, since they may be many and wait for long. Reports that wait
  // for others of their dispatch are few, and soon in turn.
  const isOrdered = kind === 'deliver' ? sql`known.is_ordered` : sql`false`
  const { rows } = await sql<FoundRow>`
    with recursive known as materialized (
      select known.*, ${commerceOrder()} from unnest(${sql.val(names)}::text[], ${sql.val(horizons.map((horizon) => horizon.dueFrom ?? null))}::timestamptz[],
                           ${sql.val(horizons.map((horizon) => horizon.leasedFrom ?? null))}::timestamptz[])
        as known (connection, due_from, leased_from) left join connections c on c.name = known.connection
    ), gaps as (
      select connection as after, lead(connection, 1, ${BEHIND_ALL}) over (order by connection) as before
      from (select '' as connection union all select connection from known) as edges
    ), step as (
      select first.connection, first.due_at, gaps.before from gaps, lateral (${firstBetween(kind, sql`gaps.after`, sql`gaps.before`)}) as first
      union all
      select next.connection, next.due_at, step.before from step, lateral (${firstBetween(kind, sql`step.connection`, sql`step.before`)}) as next
    )
    select connection, true as "isDue", false as "isCrowded", due_at - ${margin} as "dueFrom", now() - ${margin} as "dueFromIfNone",
           null::timestamptz as "leasedFrom"
    from step where due_at <= now()
    union all
    select known.connection, first.due_at is not null, crowd.due_at is not null,
           coalesce(first.due_at, crowd.due_at, now()) - ${margin}, now() - ${margin},
           coalesce(lease.leased_until, now() + make_interval(secs => ${leaseSeconds})) - make_interval(secs => ${LEASE_MARGIN_SECONDS})
    from known
    left join lateral (
      (select d.due_at from (${dueOfKnown(kind, sql`not ${isOrdered}`)} limit 1) as d)
      union all
      (select j.due_at from (${dueOfKnown(kind, isOrdered)} limit ${sql.lit(ORDERED_WINDOW)}) as j
       where ${isInCommerceTurn('known')} order by j.due_at limit 1)) as first on true
    left join lateral (
      ${dueOfKnown(kind, isOrdered)} offset ${sql.lit(ORDERED_WINDOW)} limit 1) as crowd on true
    left join lateral (
      select leased_until from jobs
      where kind = ${kind} and connection = known.connection and leased_until is not null
        and leased_until >= coalesce(known.leased_from, '-infinity')
      order by leased_until limit 1) as lease on true`.execute(db)
  return rows.map(({ leasedFrom, ...row }) => ({ ...row, leasedFrom: leasedFrom ?? undefined }))
}

/** Due jobs of the row `known`, oldest first, if it is one of those that are asked for. */
function dueOfKnown(kind: JobKind, isAsked: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select d.due_at, d.connection, d.commerce_id, d.seq from jobs d
    where d.kind = ${kind} and d.connection = known.connection and d.leased_until is null and d.parked_reason is null
      and d.due_at >= coalesce(known.due_from, '-infinity') and d.due_at <= now() and ${isAsked}
    order by d.due_at, d.id`
}

function firstBetween(kind: JobKind, after: RawBuilder<unknown>, before: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select connection, due_at from jobs
    where kind = ${kind} and leased_until is null and parked_reason is null
      and connection > ${after} and connection < ${before}
    order by connection, due_at limit 1`
}
