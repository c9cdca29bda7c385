// Cancelling a dispatch, by an operator or because Reten cancelled the activity. Lock order, here as everywhere: the dispatch,
// then its job. Whoever locks the dispatch first is first; this is who wins.
//
//  the cancellation comes while it                  what becomes of it
//  waits, surely not done, nor before a replay      canceled at once, its job is gone
//  waits or is parked, of unknown fate, or was      canceled; the provider is asked to cancel what may exist
//    delivered before a replay
//  is with a worker, its lease expired or not       canceled; the worker's answer, or the expired lease, decides what
//                                                   has to be asked for (canceled-delivery.ts)
//  is delivered                                     the provider is asked; canceled once it has cancelled its task
//  is delivered and its end is told                 refused: the provider's event was first
//  is completed, failed or discarded                refused
//  would have to be asked for at the provider of    refused: nobody would ask
//    an archived connection
//  is canceled, or its cancellation is under way    nothing new; asked again where the provider did not cancel its task
//
//  after the cancellation comes                     what becomes of it
//  the acceptance of the delivery under way         canceled; a task exists after all, and the provider is asked
//  the provider's final event                       the event wins: its result is reported and completes the dispatch
//  a replay, or a changed body to be delivered      that wins: the cancellation is forgotten, except that a replay is
//                                                   refused while a worker asks the provider
//  the provider's answer, after such an event or    what came first stands; the answer changes nothing
//    a changed body
import { sql } from 'kysely'
import type { Cancellation, DispatchState } from '../dispatch/states.ts'
import { TRANSITIONS, transition } from '../dispatch/states.ts'
import { UNKNOWN_DELAY_SECONDS } from './canceled-delivery.ts'
import type { Db, Tx } from './database.ts'
import { nextState } from './next-state.ts'
import { isEnd } from './result-end.ts'
import { writeAudit } from './write-audit.ts'
import type { Author } from './write-audit.ts'

export interface Cancel {
  readonly id: string
  /** `reten`: found cancelled there. */
  readonly source: 'operator' | 'reten'
  readonly reason: string
  readonly author: Author
}

/**
 * - `stopped`: nothing was done, and nothing will be.
 * - `asking`: the provider is asked to cancel what it has, or may have.
 * - `in_flight`: a worker has it; what its answer leaves open is asked for then.
 * - `unchanged`: it was cancelled before.
 */
export type CancelStep = 'stopped' | 'asking' | 'in_flight' | 'unchanged'

export interface Cancelled {
  readonly id: string
  readonly activityId: string
  readonly connection: string
  readonly step: CancelStep
  readonly stateBefore: DispatchState
  readonly state: DispatchState
  readonly cancellation: Cancellation | null
}

export type CancelResult =
  | { readonly kind: 'cancelled'; readonly cancelled: Cancelled }
  /** `isTold`: the provider told its end, and Reten was not told yet. */
  | { readonly kind: 'ended'; readonly state: DispatchState; readonly isTold: boolean }
  /** `archived`: the provider has to be asked, or may have to be, and nobody asks for an archived connection. */
  | { readonly kind: 'not_found' | 'archived' }

/** The provider was asked, or may have been, and its task is not cancelled: asking again may help. */
const ASKED_IN_VAIN: ReadonlySet<Cancellation | null> = new Set(['refused', 'unsupported', 'gave_up'] as const)

/** The provider is asked, or will be where the worker's answer says so. */
const ASKING: ReadonlySet<CancelStep> = new Set(['asking', 'in_flight'] as const)

/** Cancels a dispatch as far as that is possible, and writes down who and why; committed when it resolves. */
export async function cancelDispatch(db: Db, cancel: Cancel): Promise<CancelResult> {
  return db.transaction().execute(async (tx) => {
    const dispatch = await lockDispatch(tx, cancel.id)
    if (dispatch === undefined) return { kind: 'not_found' }
    const { state } = dispatch
    const isTold = await isEndTold(tx, dispatch)
    if (isTold || !['received', 'delivered', 'canceled'].includes(state)) return { kind: 'ended', state, isTold }
    const step = await chooseStep(tx, dispatch)
    if (dispatch.connection_state !== 'active' && dispatch.connection_state !== 'paused' && ASKING.has(step))
      return { kind: 'archived' }
    const stateAfter = transition(state, 'cancel') ?? state
    const cancellation = cancellationAfter(step, dispatch.cancellation)
    if (step !== 'unchanged') {
      await writeDown(tx, dispatch, step, cancellation)
      await writeAudit(tx, {
        author: cancel.author,
        action: 'dispatch.canceled',
        connection: dispatch.connection,
        target: dispatch.id,
        reason: cancel.reason,
        detail: { source: cancel.source, step, stateBefore: state },
      })
    }
    const { id, activity_id: activityId, connection } = dispatch
    const told = { id, activityId, connection, step, stateBefore: state, state: stateAfter, cancellation }
    return { kind: 'cancelled', cancelled: told }
  })
}

type Locked = NonNullable<Awaited<ReturnType<typeof lockDispatch>>>

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
      'd.cancellation',
      'd.delivered_at',
      'c.state as connection_state',
    ])
    .where('d.id', '=', id)
    .forUpdate('d')
    .executeTakeFirst()
}

/** A statement of its own, begun under the lock: an event that was applied while we waited for it is seen. */
async function isEndTold(tx: Tx, { id, revision, state }: Locked): Promise<boolean> {
  if (state !== 'delivered' && state !== 'canceled') return false
  const result = await tx
    .selectFrom('results')
    .select('id')
    .where('dispatch_id', '=', id)
    .where('revision', '=', revision)
    .where(isEnd('results'))
    .executeTakeFirst()
  return result !== undefined
}

/** Waits for whoever has the job: nobody holds a job while it waits for a dispatch. */
async function chooseStep(tx: Tx, { id, state, cancellation, delivered_at: deliveredAt }: Locked): Promise<CancelStep> {
  const jobs = await tx
    .selectFrom('jobs')
    .select(['kind', 'leased_until', 'is_fate_unknown'])
    .where('dispatch_id', '=', id)
    .where('kind', 'in', ['deliver', 'cancel'])
    .orderBy('id')
    .forUpdate()
    .execute()
  if (cancellation === 'requested') return 'unchanged'
  if (state === 'canceled') return ASKED_IN_VAIN.has(cancellation) ? 'asking' : 'unchanged'
  if (state === 'delivered') return 'asking'
  const job = jobs.find(({ kind }) => kind === 'deliver')
  if (job === undefined) return 'stopped'
  if (job.leased_until !== null) return 'in_flight'
  return job.is_fate_unknown || deliveredAt !== null ? 'asking' : 'stopped'
}

function cancellationAfter(step: CancelStep, before: Cancellation | null): Cancellation | null {
  switch (step) {
    case 'stopped':
      return null
    case 'asking':
    case 'in_flight':
      return 'requested'
    case 'unchanged':
      return before
    default:
      return step satisfies never
  }
}

async function writeDown(tx: Tx, dispatch: Locked, step: CancelStep, cancellation: Cancellation | null): Promise<void> {
  await tx
    .updateTable('dispatches')
    .set({
      state: nextState(TRANSITIONS.cancel),
      finished_at: sql<Date>`case when state = 'received' then now() else finished_at end`,
      cancellation,
    })
    .where('id', '=', dispatch.id)
    .execute()
  if (step === 'in_flight') return
  await tx.deleteFrom('jobs').where('dispatch_id', '=', dispatch.id).where('kind', '=', 'deliver').execute()
  if (step === 'asking') await insertJob(tx, dispatch)
}

async function insertJob(tx: Tx, dispatch: Locked): Promise<void> {
  const delaySeconds = dispatch.state === 'received' ? UNKNOWN_DELAY_SECONDS : 0
  await tx
    .insertInto('jobs')
    .values({
      kind: 'cancel',
      connection: dispatch.connection,
      dispatch_id: dispatch.id,
      commerce_id: dispatch.commerce_id,
      seq: dispatch.seq,
      revision: dispatch.revision,
      due_at: sql<Date>`now() + make_interval(secs => ${delaySeconds})`,
    })
    .execute()
}
