// Leases that expired unsettled: their worker died or lost its way. What it did is unknown, so the job says so; a job that took
// three workers with it is poison and is set aside, rather than taking a fourth. Waits for no lock: what somebody else holds is
// taken the next time.
//
// A worker takes with it whatever it had in flight, and one dispatch is to blame. So those that two workers ended with come back
// one after another, and only one that was with no other such is poison:
//
//  ended with its worker    comes back
//  once                     at once
//  twice                    at once the first, the others one by one behind it
//  more often, beside another of two crashes or more     as if it were the second time
//  more often, beside none of those                      never: it is poison
//
// Which claim a crash was counted for is written down with it: a worker that was only cut off takes it back when it returns
// (lease-keeper.ts).
import { sql } from 'kysely'
import { TRANSITIONS } from '../dispatch/states.ts'
import { blockCommerces } from './commerce-order.ts'
import type { Db } from './database.ts'
import { nextState } from './next-state.ts'

/** Claims of one job that may expire before it counts as poison, unless others may be to blame. */
export const MAX_CRASHES = 3

export interface Rescue {
  /** Jobs that are due again. */
  readonly rescued: number
  /** Dispatches whose delivery was set aside; one that was not delivered before failed with `crashed_worker`. */
  readonly poisoned: readonly string[]
  /** Dispatches whose cancellation was set aside. */
  readonly notCanceled: readonly string[]
  /** Reports that were set aside: what is known of each result is that Reten may have it. */
  readonly unproven: readonly { readonly dispatchId: string; readonly connection: string }[]
}

// What ended with two workers: one more, and somebody has to be to blame.
const SUSPECT_CRASHES = MAX_CRASHES - 1
// Between two suspects: longer than most tries take, so that the one has ended when the other begins.
const SUSPECT_SECONDS = 2
// Leases of one worker expire within seconds of each other: a suspect that is due since then may have been with this one.
const BESIDE_SECONDS = 30

// Rows handled at once: enough for every slot of a dead instance, little enough to be over in moments.
const BATCH = 500

/** Takes back expired leases; safe to run on any number of instances at once. */
export async function rescueJobs(db: Db): Promise<Rescue> {
  const { rows } = await sql<{
    rescued: number
    poisoned: string[]
    not_canceled: string[]
    unproven: Rescue['unproven']
  }>`
    with expired as (
      -- A cancelled delivery is not tried again, so it can do no harm: whoever takes it asks the provider to cancel it.
      select j.id, j.kind, j.dispatch_id, j.result_id, j.claimed_by,
             case when j.kind = 'deliver' and d.state = 'canceled' then 0 else j.crashes + 1 end as crashes
      from jobs j join dispatches d on d.id = j.dispatch_id
      where j.leased_until < now() order by j.leased_until limit ${BATCH} for update of d, j skip locked
    ), judged as materialized (
      select e.id, least(e.crashes, ${SUSPECT_CRASHES}) as crashes,
             e.crashes >= ${MAX_CRASHES} and not exists (
               select from jobs o
               where o.id <> e.id and o.crashes >= ${SUSPECT_CRASHES} and o.parked_reason is null
                 and (o.claimed_by = e.claimed_by
                      or o.leased_until is null and o.due_at > now() - make_interval(secs => ${BESIDE_SECONDS}))
             ) as is_poison,
             -- By chance: whoever was first the last time need not be first again.
             case when e.crashes < ${SUSPECT_CRASHES} then 0
                  else row_number() over (partition by e.crashes >= ${SUSPECT_CRASHES} order by random()) - 1 end as place
      from expired e
    ), poison as (
      delete from jobs using judged e where jobs.id = e.id and e.is_poison
      returning jobs.kind, jobs.dispatch_id, jobs.result_id
    ), again as (
      update jobs set leased_until = null, claimed_by = null, crashes = e.crashes,
        due_at = now() + make_interval(secs => e.place * ${SUSPECT_SECONDS}::float8),
        crashed_claim_no = claim_no, is_fate_unknown = true
      from judged e where jobs.id = e.id and not e.is_poison
      returning jobs.id
    ), failed_dispatches as (
      update dispatches set state = ${nextState(TRANSITIONS.gave_up)},
        finished_at = case when state = 'received' then now() else finished_at end,
        reason_code = case when state = 'received' then 'crashed_worker' else reason_code end
      where id in (select dispatch_id from poison where kind = 'deliver')
      returning id, connection, commerce_id, seq, state
    ), blocked as (
      ${blockCommerces(sql`select * from failed_dispatches where state = 'failed'`)}
    ), unproven_results as (
      update results set state = 'unproven', reason_code = 'crashed_worker', settled_at = now(), attention_at = now(),
        reason = 'three workers ended while they reported it'
      where id in (select result_id from poison where kind = 'report') and state = 'pending'
      returning dispatch_id, connection
    ), failed_cancellations as (
      update dispatches set cancellation = 'gave_up'
      where id in (select dispatch_id from poison where kind = 'cancel') and cancellation = 'requested'
      returning id
    )
    select (select count(*) from again)::int as rescued,
           coalesce((select array_agg(id::text) from failed_cancellations), '{}') as not_canceled,
           coalesce((select json_agg(json_build_object('dispatchId', dispatch_id, 'connection', connection))
             from unproven_results), '[]') as unproven,
           coalesce((select array_agg(id::text) from failed_dispatches), '{}') as poisoned`.execute(db)
  const [row] = rows
  return {
    rescued: row?.rescued ?? 0,
    poisoned: row?.poisoned ?? [],
    notCanceled: row?.not_canceled ?? [],
    unproven: row?.unproven ?? [],
  }
}
