// Keeping claims for longer than their first lease. Short leases make a killed worker's jobs due again within seconds; this is
// how a long delivery keeps its job all the same.
//
// Renewed is only a claim that is still this worker's: job, claim number and worker's name must all fit, so that what was
// rescued, claimed by another one or taken away by an operator stays as it is. A job that somebody has locked at this moment
// (it is being settled, or rescued) is passed over and told as held: the next time says what became of it. Waits for no lock.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { ClaimedJob } from './claim-jobs.ts'
import type { Db } from './database.ts'

export type Claim = Pick<ClaimedJob, 'id' | 'claimNo'>

export interface Renewal {
  readonly worker: string
  readonly leaseSeconds: number
  readonly claims: readonly Claim[]
}

/** Renews what is still this worker's, expired or not, by the database's clock; answers the ids of the jobs that are. */
export async function renewLeases(db: Db, { worker, leaseSeconds, claims }: Renewal): Promise<ReadonlySet<number>> {
  // The clock and not now(), as in claim-jobs.ts: a lease never ends before one that was made earlier.
  const { rows } = await sql<{ id: number }>`
    with mine as materialized (
      select j.id from jobs j join ${claimTable(claims)} on j.id = c.id and j.claim_no = c.claim_no
      where j.claimed_by = ${worker} order by j.id for update of j skip locked
    ), renewed as (
      update jobs set leased_until = clock_timestamp() + make_interval(secs => ${leaseSeconds}) from mine where jobs.id = mine.id
    )
    select j.id from jobs j join ${claimTable(claims)} on j.id = c.id and j.claim_no = c.claim_no
    where j.claimed_by = ${worker}`.execute(db)
  return new Set(rows.map((row) => row.id))
}

/**
 * Takes back the crashes that were counted for these claims, whose worker lives. Answers the claims about which nothing more
 * can be counted: the others may still be rescued later.
 */
export async function takeBackCrashes(db: Db, claims: readonly Claim[]): Promise<readonly Claim[]> {
  const { rows } = await sql<Claim>`
    with counted as materialized (
      select j.id from jobs j join ${claimTable(claims)} on j.id = c.id and j.crashed_claim_no = c.claim_no
      order by j.id for update of j
    ), innocent as (
      update jobs set crashes = greatest(0, crashes - 1), crashed_claim_no = null from counted where jobs.id = counted.id
    )
    select c.id, c.claim_no as "claimNo" from ${claimTable(claims)} left join jobs j on j.id = c.id
    where j.id is null or j.claim_no <> c.claim_no or j.crashed_claim_no = c.claim_no`.execute(db)
  return rows
}

function claimTable(claims: readonly Claim[]): RawBuilder<unknown> {
  return sql`unnest(${sql.val(claims.map((claim) => claim.id))}::bigint[],
                    ${sql.val(claims.map((claim) => claim.claimNo))}::int[]) as c (id, claim_no)`
}
