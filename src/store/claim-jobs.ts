// Taking due jobs for a time. Two statements in one short transaction: the first locks the connections' rows, the second
// counts what is in flight and takes what is free, with a snapshot that is younger than the lock. One statement would count
// with a snapshot from before it got the lock, and two claimers would both see the last slot free.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { openBudgets, spendTokens } from './claim-budget.ts'
import { commerceOrder, headOfCommerce, isInCommerceTurn } from './commerce-order.ts'
import type { Db, Tx } from './database.ts'
import { ORDERED_WINDOW } from './find-due-connections.ts'
import type { Horizon } from './find-due-connections.ts'
import type { JobKind } from './tables.ts'

/** A connection to claim for, from which horizon on, and how many of its jobs may be in flight over all instances. */
export interface ClaimShare extends Horizon {
  readonly connection: string
  readonly maxInFlight: number
  /** How many may be taken now; default: as many as fit. */
  readonly most?: number
  /** How many may be taken in a second, over all instances; see claim-budget.ts. Default: no limit. */
  readonly ratePerSecond?: number | undefined
  /** Commerces whose next delivery is looked for by name: it may be due since before the horizon, or behind many that wait. */
  readonly commerces?: readonly string[]
}

export interface ClaimRequest {
  readonly kind: JobKind
  readonly shares: readonly ClaimShare[]
  readonly worker: string
  readonly leaseSeconds: number
}

/** A job under lease. `claimNo` is the fence: settling names it. */
export interface ClaimedJob {
  readonly id: number
  readonly kind: JobKind
  readonly connection: string
  readonly dispatchId: string
  readonly commerceId: string
  readonly resultId: string | null
  readonly revision: number
  readonly claimNo: number
  /** Charged tries before this one. */
  readonly attempts: number
  readonly crashes: number
  /** Tries before this one that ended with the credentials at fault. */
  readonly refusals: number
  readonly isFateUnknown: boolean
  /** When it was asked for, by this process's clock in milliseconds since 1970: the lease began no earlier. */
  readonly claimedAtMs: number
}

/**
 * Claims due jobs, oldest due first, within each connection's free slots; nothing for connections that are not active or that
 * another claimer holds right now. Where the order per commerce is kept, it looks at the commerces that are named and at the next
 * ORDERED_WINDOW due jobs; a DueSearch names the others. Committed when it resolves.
 */
export async function claimJobs(db: Db, request: ClaimRequest): Promise<readonly ClaimedJob[]> {
  if (request.shares.length === 0) return []
  const claimedAtMs = Date.now()
  return db.transaction().execute(async (tx) => {
    const shares = await lockConnections(tx, request)
    if (shares.length === 0) return []
    const rows = await takeJobs(tx, { ...request, shares })
    return rows.toSorted((a, b) => a.id - b.id).map((row) => ({ ...row, claimedAtMs }))
  })
}

/** Locks the connections that may be claimed for, and answers their shares. */
async function lockConnections(tx: Tx, { kind, shares }: ClaimRequest): Promise<readonly ClaimShare[]> {
  const locked = await tx
    .selectFrom('connections')
    .select('name')
    .where(
      'name',
      'in',
      shares.map((share) => share.connection),
    )
    // A paused connection delivers nothing, but what became of earlier deliveries is still reported.
    .where('state', 'in', kind === 'report' ? ['active', 'paused'] : ['active'])
    .where('reporting_state', 'in', kind === 'report' ? ['active'] : ['active', 'paused'])
    .orderBy('name')
    .forNoKeyUpdate()
    .skipLocked()
    .execute()
  const names = new Set(locked.map((row) => row.name))
  return shares.filter((share) => names.has(share.connection))
}

async function takeJobs(tx: Tx, request: ClaimRequest): Promise<readonly Omit<ClaimedJob, 'claimedAtMs'>[]> {
  const { kind, shares, worker, leaseSeconds } = request
  // The clock and not now(): a lease made in a transaction that began long ago must not end before leases that are older, or
  // horizons would pass it.
  const { rows } = await sql<Omit<ClaimedJob, 'claimedAtMs'>>`
    with share as materialized (${sharesAsRows(shares)}),
    budget as materialized (${openBudgets(kind)}),
    free as materialized (${freeSlots(kind)}),
    named as materialized (${nextOfNamed(shares)}),
    picked as (
      select id from named
      union all
      select due.id from free, lateral (
        select j.id from jobs j
        where j.kind = ${kind} and j.connection = free.connection and ${isClaimable(kind)} and j.due_at >= free.due_from
          and not ${isOrdered(kind)}
        order by j.due_at, j.id
        limit free.slots - (select count(*) from named where named.connection = free.connection)
        for update skip locked) as due
      ${kind === 'deliver' ? sql`union all ${nextInWindow()}` : sql``}
    ), taken as (
      update jobs set
        leased_until = clock_timestamp() + make_interval(secs => ${leaseSeconds}),
        claimed_by = ${worker}, claim_no = claim_no + 1
      from picked where jobs.id = picked.id
      returning jobs.id, kind, connection, dispatch_id as "dispatchId", commerce_id as "commerceId", result_id as "resultId",
                revision, claim_no as "claimNo", attempts, crashes, refusals, is_fate_unknown as "isFateUnknown"
    ), spent as (${spendTokens(kind)})
    select * from taken`.execute(tx)
  return rows
}

function sharesAsRows(shares: readonly ClaimShare[]): RawBuilder<unknown> {
  return sql`
    select connection, max_in_flight, most, rate_per_second,
           coalesce(due_from, '-infinity') as due_from, coalesce(leased_from, '-infinity') as leased_from, ${commerceOrder()}
    from unnest(${sql.val(shares.map((share) => share.connection))}::text[],
                ${sql.val(shares.map((share) => share.maxInFlight))}::int[],
                ${sql.val(shares.map((share) => share.most ?? share.maxInFlight))}::int[],
                ${sql.val(shares.map((share) => share.ratePerSecond ?? null))}::float8[],
                ${sql.val(shares.map((share) => share.dueFrom ?? null))}::timestamptz[],
                ${sql.val(shares.map((share) => share.leasedFrom ?? null))}::timestamptz[])
      as s (connection, max_in_flight, most, rate_per_second, due_from, leased_from) join connections c on c.name = s.connection`
}

/**
 * Each share with the slots that nobody has, within what may be taken now; an expired lease counts until it is rescued, its work
 * may still be under way.
 */
function freeSlots(kind: JobKind): RawBuilder<unknown> {
  return sql`
    select share.*, least(share.most, floor(budget.tokens)::int, greatest(0, max_in_flight - (
      select count(*) from jobs j
      where j.kind = ${kind} and j.connection = share.connection
        and j.leased_until is not null and j.leased_until >= share.leased_from))) as slots
    from share left join budget on budget.connection = share.connection`
}

/**
 * The next deliveries of the commerces that are named. What follows one that ended is older than much that other commerces had
 * done meanwhile, so the search behind the horizon does not come by it.
 */
function nextOfNamed(shares: readonly ClaimShare[]): RawBuilder<unknown> {
  const named = shares.flatMap(({ connection, commerces = [] }) =>
    [...new Set(commerces)].map((commerceId) => ({ connection, commerceId })),
  )
  return sql`
    select next.id, free.connection from free, lateral (
      select j.id
      from unnest(${sql.val(named.map((one) => one.connection))}::text[], ${sql.val(named.map((one) => one.commerceId))}::text[])
             as wanted (connection, commerce_id),
           lateral (${headOfCommerce(sql`wanted`)}) as head join jobs j on j.id = head.id
      where wanted.connection = free.connection and ${isClaimable('deliver')}
      order by j.due_at, j.id limit free.slots
      for update of j skip locked) as next`
}

/** What is in turn among the due jobs that a look goes through where the order per commerce is kept. */
function nextInWindow(): RawBuilder<unknown> {
  return sql`
    select due.id from free, lateral (
      select j.id from (
        select w.id from jobs w
        where w.kind = 'deliver' and w.connection = free.connection and w.leased_until is null and w.parked_reason is null
          and w.due_at <= now() and w.due_at >= free.due_from and free.is_ordered
        order by w.due_at, w.id limit ${sql.lit(ORDERED_WINDOW)}) as near join jobs j on j.id = near.id
      where ${isClaimable('deliver')} and not exists (select from named where named.id = j.id)
      order by j.due_at, j.id
      limit free.slots - (select count(*) from named where named.connection = free.connection)
      for update of j skip locked) as due`
}

/** Only deliveries have an order per commerce; reports and cancellations have their own. */
function isOrdered(kind: JobKind): RawBuilder<boolean> {
  return kind === 'deliver' ? sql<boolean>`free.is_ordered` : sql<boolean>`false`
}

function isClaimable(kind: JobKind): RawBuilder<boolean> {
  return sql<boolean>`j.leased_until is null and j.parked_reason is null and j.due_at <= now() and ${isInTurn(kind)}`
}

function isInTurn(kind: JobKind): RawBuilder<boolean> {
  switch (kind) {
    case 'deliver':
      return isInCommerceTurn('free')
    case 'report':
      return isInReportTurn()
    case 'cancel':
      return sql<boolean>`true`
    default:
      return kind satisfies never
  }
}

/**
 * The results of one dispatch are told one after another, a later one after the earlier one has ended: told out of turn, the
 * earlier one would meet the later one at Reten and take it for itself.
 */
function isInReportTurn(): RawBuilder<boolean> {
  return sql<boolean>`not exists (
    select from jobs o
    where o.kind = 'report' and o.dispatch_id = j.dispatch_id
      and (o.leased_until is not null or o.id < j.id))`
}
