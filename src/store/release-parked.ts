// Releasing a parked delivery: a person looked and knows what the last try left open. Lock order, here as everywhere: the
// dispatch, then its job. The claim number grows, so that a worker that comes back late settles nothing of what was decided.
//
//            job                                           dispatch
//  repeat    due at once, with all its tries, no doubt     received, as it was
//  delivered gone                                          delivered; completed where Reten has its final result already
import { sql } from 'kysely'
import type { DispatchState } from '../dispatch/states.ts'
import { TRANSITIONS } from '../dispatch/states.ts'
import { storable } from './attempt.ts'
import { completeReported } from './complete-reported.ts'
import type { Db, Tx } from './database.ts'
import { nextState } from './next-state.ts'
import { writeAudit } from './write-audit.ts'
import type { Author } from './write-audit.ts'

export type ParkedAction = 'repeat' | 'delivered'

export interface ParkedRelease {
  readonly id: string
  readonly action: ParkedAction
  /** The provider's id of the task, where `delivered` is told with one: later events are matched by it. */
  readonly providerTaskId: string | undefined
  readonly reason: string
  readonly author: Author
}

export interface Released {
  readonly id: string
  readonly activityId: string
  readonly connection: string
  /** What it was parked for. */
  readonly parkedReason: string
  readonly providerTaskId: string | null
}

/**
 * - `not_parked`: nothing of it waits for a person; `phase` is what its delivery does, `none` where nothing is due.
 * - `archived`: its connection is archived, nobody would repeat it.
 */
export type ReleaseOutcome =
  | { readonly kind: 'released'; readonly released: Released }
  | {
      readonly kind: 'not_parked'
      readonly state: DispatchState
      readonly phase: 'in_flight' | 'retrying' | 'waiting' | 'none'
    }
  | { readonly kind: 'not_found' | 'archived' }

/** Carries out what a person decided about a parked delivery, and writes down who and why; committed when it resolves. */
export async function releaseParked(db: Db, release: ParkedRelease): Promise<ReleaseOutcome> {
  return db.transaction().execute(async (tx) => {
    const dispatch = await lockDispatch(tx, release.id)
    if (dispatch === undefined) return { kind: 'not_found' }
    const job = await lockJob(tx, release.id)
    if (job === undefined || job.parked_reason === null) {
      return { kind: 'not_parked', state: dispatch.state, phase: phaseOf(job) }
    }
    const isArchived = dispatch.connection_state === 'archived' || dispatch.connection_state === null
    if (isArchived && release.action === 'repeat') return { kind: 'archived' }
    const providerTaskId = storable(release.providerTaskId) ?? dispatch.provider_task_id
    if (release.action === 'repeat') await makeDue(tx, job.id)
    else await markDelivered(tx, release.id, providerTaskId)
    const { activity_id: activityId, connection } = dispatch
    await writeAudit(tx, {
      author: release.author,
      action: 'dispatch.released',
      connection,
      target: dispatch.id,
      reason: release.reason,
      detail: { action: release.action, parkedReason: job.parked_reason, providerTaskId },
    })
    const released = { id: dispatch.id, activityId, connection, parkedReason: job.parked_reason, providerTaskId }
    return { kind: 'released', released }
  })
}

async function lockDispatch(tx: Tx, id: string) {
  return tx
    .selectFrom('dispatches as d')
    .leftJoin('connections as c', 'c.name', 'd.connection')
    .select(['d.id', 'd.activity_id', 'd.connection', 'd.state', 'd.provider_task_id', 'c.state as connection_state'])
    .where('d.id', '=', id)
    .forUpdate('d')
    .executeTakeFirst()
}

/** Waits for whoever has it: nobody holds a job while it waits for a dispatch. */
async function lockJob(tx: Tx, id: string) {
  return tx
    .selectFrom('jobs')
    .select(['id', 'leased_until', 'attempts', 'parked_reason'])
    .where('dispatch_id', '=', id)
    .where('kind', '=', 'deliver')
    .forUpdate()
    .executeTakeFirst()
}

function phaseOf(job: Awaited<ReturnType<typeof lockJob>>): 'in_flight' | 'retrying' | 'waiting' | 'none' {
  if (job === undefined) return 'none'
  if (job.leased_until !== null) return 'in_flight'
  return job.attempts > 0 ? 'retrying' : 'waiting'
}

async function makeDue(tx: Tx, jobId: number): Promise<void> {
  await tx
    .updateTable('jobs')
    .set({
      due_at: sql<Date>`now()`,
      claim_no: sql<number>`claim_no + 1`,
      attempts: 0,
      crashes: 0,
      is_fate_unknown: false,
      parked_reason: null,
    })
    .where('id', '=', jobId)
    .execute()
}

async function markDelivered(tx: Tx, id: string, providerTaskId: string | null): Promise<void> {
  await tx.deleteFrom('jobs').where('dispatch_id', '=', id).where('kind', '=', 'deliver').execute()
  await tx
    .updateTable('dispatches')
    .set({
      state: nextState(TRANSITIONS.accepted),
      delivered_at: sql<Date>`coalesce(delivered_at, now())`,
      provider_task_id: providerTaskId,
      provider_task_revision: sql<number>`revision`,
    })
    .where('id', '=', id)
    .execute()
  await completeReported(tx, id)
}
