// Doing a stored dispatch again, on purpose. Lock order, here as everywhere: the dispatch, then its job; and the job without
// waiting, since whoever holds it is a worker that takes it or gives it back at this moment.
import { sql } from 'kysely'
import type { DispatchState } from '../dispatch/states.ts'
import { TRANSITIONS, transition } from '../dispatch/states.ts'
import type { Db, Tx } from './database.ts'
import { errorCode } from './database-errors.ts'
import { endBlock } from './end-block.ts'
import { nextState } from './next-state.ts'
import { writeAudit } from './write-audit.ts'
import type { Author } from './write-audit.ts'

export interface ReplayInput {
  readonly id: string
  readonly reason: string
  /** Answers what would happen and changes nothing. */
  readonly isDryRun: boolean
  readonly author: Author
}

/** What a replay does, or would do. */
export interface ReplayPlan {
  readonly id: string
  readonly activityId: string
  readonly connection: string
  /** Paused: it waits until the connection is resumed. */
  readonly connectionState: 'active' | 'paused'
  readonly stateBefore: DispatchState
  readonly stateAfter: DispatchState
  readonly revisionBefore: number
  /** The next one where the provider cancelled its task, so that it does not take the repeat for what it cancelled. */
  readonly revision: number
  /** Whether a job is made, or the one that waits is due at once. */
  readonly job: 'created' | 'made_due'
  /** It stood parked: repeating it may do the work twice, and the author decided to. */
  readonly wasParked: boolean
}

/**
 * - `in_flight`: a worker has it right now; it is never taken away from one.
 * - `bodyless`: retention has dropped its body, there is nothing to deliver.
 * - `archived`: its connection is archived, nobody would deliver it.
 */
export type ReplayOutcome =
  | { readonly kind: 'planned'; readonly plan: ReplayPlan }
  | { readonly kind: 'not_found' | 'in_flight' | 'bodyless' | 'archived' }

/** Makes a dispatch due for delivery at once, under its present revision, with all its tries; committed when it resolves. */
export async function replayDispatch(db: Db, input: ReplayInput): Promise<ReplayOutcome> {
  try {
    return await db.transaction().execute((tx) => replay(tx, input))
  } catch (error) {
    if (errorCode(error) === LOCK_NOT_AVAILABLE) return { kind: 'in_flight' }
    throw error
  }
}

const LOCK_NOT_AVAILABLE = '55P03'

type Locked = NonNullable<Awaited<ReturnType<typeof lockDispatch>>>
type LockedJob = Awaited<ReturnType<typeof lockJobs>>[number] | undefined

async function replay(tx: Tx, input: ReplayInput): Promise<ReplayOutcome> {
  const dispatch = await lockDispatch(tx, input.id)
  if (dispatch === undefined) return { kind: 'not_found' }
  if (dispatch.connection_state === 'archived' || dispatch.connection_state === null) return { kind: 'archived' }
  const locked = await lockJobs(tx, input.id)
  if (locked.some((job) => job.leased_until !== null)) return { kind: 'in_flight' }
  const job = locked.find(({ kind }) => kind === 'deliver')
  if (!(await hasBody(tx, dispatch))) return { kind: 'bodyless' }
  const plan: ReplayPlan = {
    id: dispatch.id,
    activityId: dispatch.activity_id,
    connection: dispatch.connection,
    connectionState: dispatch.connection_state,
    stateBefore: dispatch.state,
    stateAfter: transition(dispatch.state, 'replay') ?? dispatch.state,
    revisionBefore: dispatch.revision,
    revision: dispatch.revision + (dispatch.cancellation === 'canceled' ? 1 : 0),
    job: job === undefined ? 'created' : 'made_due',
    wasParked: job !== undefined && job.parked_reason !== null,
  }
  if (!input.isDryRun) await carryOut(tx, input, dispatch, job, plan)
  return { kind: 'planned', plan }
}

async function lockDispatch(tx: Tx, id: string) {
  return tx
    .selectFrom('dispatches as d')
    .leftJoin('connections as c', 'c.name', 'd.connection')
    .select([
      'd.id',
      'd.activity_id',
      'd.connection',
      'd.commerce_id',
      'd.seq',
      'd.state',
      'd.revision',
      'd.reason_code',
      'd.cancellation',
      'd.body_no',
      'd.body_day',
      'c.state as connection_state',
    ])
    .where('d.id', '=', id)
    .forUpdate('d')
    .executeTakeFirst()
}

/** A statement of its own, begun under the lock: a body that was changed while we waited for it is seen. */
async function hasBody(tx: Tx, dispatch: Locked): Promise<boolean> {
  const body = await tx
    .selectFrom('dispatch_bodies')
    .select('body_no')
    .where('dispatch_id', '=', dispatch.id)
    .where('body_no', '=', dispatch.body_no)
    .where('day', '=', dispatch.body_day)
    .executeTakeFirst()
  return body !== undefined
}

async function lockJobs(tx: Tx, id: string) {
  return tx
    .selectFrom('jobs')
    .select(['id', 'kind', 'leased_until', 'parked_reason'])
    .where('dispatch_id', '=', id)
    .where('kind', 'in', ['deliver', 'cancel'])
    .orderBy('id')
    .forUpdate()
    .noWait()
    .execute()
}

async function carryOut(tx: Tx, input: ReplayInput, dispatch: Locked, job: LockedJob, plan: ReplayPlan): Promise<void> {
  await tx
    .updateTable('dispatches')
    .set({
      state: nextState(TRANSITIONS.replay),
      revision: plan.revision,
      reason_code: null,
      cancellation: null,
      overdue_at: null,
      finished_at: null,
    })
    .where('id', '=', dispatch.id)
    .execute()
  await endBlock(tx, dispatch.id)
  await tx.deleteFrom('jobs').where('dispatch_id', '=', dispatch.id).where('kind', '=', 'cancel').execute()
  if (job === undefined) await insertJob(tx, dispatch, plan.revision)
  else await makeDue(tx, job.id)
  await writeAudit(tx, {
    author: input.author,
    action: 'dispatch.replayed',
    connection: dispatch.connection,
    target: dispatch.id,
    reason: input.reason,
    detail: { stateBefore: plan.stateBefore, revision: plan.revision, job: plan.job, wasParked: plan.wasParked },
  })
}

async function insertJob(tx: Tx, dispatch: Locked, revision: number): Promise<void> {
  await tx
    .insertInto('jobs')
    .values({
      kind: 'deliver',
      connection: dispatch.connection,
      dispatch_id: dispatch.id,
      commerce_id: dispatch.commerce_id,
      seq: dispatch.seq,
      revision,
      is_fate_unknown: isFateUnknown(dispatch),
    })
    .execute()
}

/**
 * Whether there may be a task that no answer told of, without a job that says so: what took its workers with it, and what was
 * cancelled and may not be. The replay is what decides that it is to be done; not that it is to be done twice.
 */
function isFateUnknown({ state, reason_code: reasonCode, cancellation }: Locked): boolean {
  if (state === 'failed') return reasonCode === 'crashed_worker'
  return state === 'canceled' && cancellation !== null && cancellation !== 'canceled'
}

/** A parked job is freed of its doubt too: whoever replays it has decided to repeat it, and it would only park again. */
async function makeDue(tx: Tx, jobId: number): Promise<void> {
  await tx
    .updateTable('jobs')
    .set({
      due_at: sql<Date>`now()`,
      attempts: 0,
      crashes: 0,
      is_fate_unknown: sql<boolean>`is_fate_unknown and parked_reason is null`,
      parked_reason: null,
    })
    .where('id', '=', jobId)
    .execute()
}
