// What a person decides about a result that does not stand at Reten as far as we know. Lock order, here as everywhere: the
// dispatch, then its job, then the result.
//
//               retry                                keep_theirs                       overwrite
//  failed       told again                           -                                 -
//  unproven     told again, in doubt                 Reten's stands; completes it      told with hard_override, in doubt
//  conflict     told again                           Reten's stands; completes it      told with hard_override
//  pending      looked at, or tried, at once         -                                 -
//  superseded   told, where it was kept for being    -                                 -
//               an earlier revision's
//  reported,    -                                    -                                 -
//  unreportable
import { sql } from 'kysely'
import type { ResultState, ResultStatus, RetenSide } from '../dispatch/result.ts'
import { TRANSITIONS } from '../dispatch/states.ts'
import type { Db, Tx } from './database.ts'
import { endBlock } from './end-block.ts'
import { nextState } from './next-state.ts'
import { writeAudit } from './write-audit.ts'
import type { Author } from './write-audit.ts'

export type ResultAction = 'retry' | 'keep_theirs' | 'overwrite'

export interface ResultDecision {
  readonly id: string
  readonly action: ResultAction
  readonly reason: string
  readonly author: Author
}

export interface DecidedResult {
  readonly id: string
  readonly dispatchId: string
  readonly activityId: string
  readonly connection: string
  readonly stateBefore: ResultState
  readonly state: ResultState
}

/** `unsuitable`: the table above has no entry; `isInFlight`: a worker tells it to Reten at this moment. */
export type ResultDecisionOutcome =
  | { readonly kind: 'decided'; readonly decided: DecidedResult }
  | { readonly kind: 'unsuitable'; readonly state: ResultState; readonly isInFlight: boolean }
  | { readonly kind: 'not_found' }

/** Carries out what a person decided, and writes down who and why; committed when it resolves. */
export async function resolveResult(db: Db, decision: ResultDecision): Promise<ResultDecisionOutcome> {
  return db.transaction().execute(async (tx) => {
    const result = await lockResult(tx, decision.id)
    if (result === undefined) return { kind: 'not_found' }
    const job = await lockJob(tx, decision.id)
    const isInFlight = job !== undefined && job.leased_until !== null
    if (isInFlight || !fits(decision.action, result)) return { kind: 'unsuitable', state: result.state, isInFlight }
    const state = decision.action === 'keep_theirs' ? 'superseded' : 'pending'
    if (state === 'superseded') await keepTheirs(tx, result)
    else if (job !== undefined) await bringForward(tx, job.id)
    else await makeDue(tx, result, decision.action === 'overwrite')
    const { id, dispatch_id: dispatchId, activity_id: activityId, connection } = result
    await writeAudit(tx, {
      author: decision.author,
      action: `result.${PAST[decision.action]}`,
      connection,
      target: dispatchId,
      reason: decision.reason,
      detail: { resultId: id, stateBefore: result.state, retenSide: result.reten_side },
    })
    return { kind: 'decided', decided: { id, dispatchId, activityId, connection, stateBefore: result.state, state } }
  })
}

const PAST = { retry: 'retried', keep_theirs: 'kept_theirs', overwrite: 'overwritten' } as const

type Locked = NonNullable<Awaited<ReturnType<typeof lockResult>>>

/** The dispatch first: whoever settles its report locks it too, or waits for the job. */
async function lockResult(tx: Tx, id: string) {
  const found = await tx.selectFrom('results').select('dispatch_id').where('id', '=', id).executeTakeFirst()
  if (found === undefined) return undefined
  await tx.selectFrom('dispatches').select('id').where('id', '=', found.dispatch_id).forUpdate().execute()
  return tx
    .selectFrom('results as r')
    .innerJoin('dispatches as d', 'd.id', 'r.dispatch_id')
    .select([
      'r.id',
      'r.dispatch_id',
      'r.connection',
      'r.state',
      'r.status',
      'r.reason_code',
      'r.revision',
      'r.reten_side',
      'd.activity_id',
      'd.commerce_id',
      'd.seq',
      'd.revision as dispatch_revision',
    ])
    .where('r.id', '=', id)
    .executeTakeFirst()
}

async function lockJob(tx: Tx, resultId: string) {
  return tx
    .selectFrom('jobs')
    .select(['id', 'leased_until'])
    .where('result_id', '=', resultId)
    .where('kind', '=', 'report')
    .forUpdate()
    .executeTakeFirst()
}

function fits(action: ResultAction, { state, reason_code }: Locked): boolean {
  if (action !== 'retry') return state === 'conflict' || state === 'unproven'
  if (state === 'superseded') return reason_code === 'earlier_revision'
  return state === 'failed' || state === 'unproven' || state === 'conflict' || state === 'pending'
}

async function bringForward(tx: Tx, jobId: number): Promise<void> {
  await tx
    .updateTable('jobs')
    .set({ due_at: sql<Date>`least(due_at, now())` })
    .where('id', '=', jobId)
    .execute()
}

async function makeDue(tx: Tx, result: Locked, isOverride: boolean): Promise<void> {
  await tx
    .updateTable('results')
    .set({
      state: 'pending',
      reason_code: null,
      reason: null,
      settled_at: null,
      attention_at: null,
      is_override: sql<boolean>`is_override or ${isOverride}`,
    })
    .where('id', '=', result.id)
    .execute()
  await tx
    .insertInto('jobs')
    .values({
      kind: 'report',
      connection: result.connection,
      dispatch_id: result.dispatch_id,
      result_id: result.id,
      commerce_id: result.commerce_id,
      seq: result.seq,
      revision: result.revision,
      // Reten may have it: whoever tells it again looks first.
      is_fate_unknown: result.state === 'unproven',
    })
    .execute()
}

/** Reten's own result is the one that counts. Where it ends the activity, it ends the dispatch. */
async function keepTheirs(tx: Tx, result: Locked): Promise<void> {
  await tx
    .updateTable('results')
    .set({ state: 'superseded', reason_code: 'kept_theirs', settled_at: sql<Date>`now()`, attention_at: null })
    .where('id', '=', result.id)
    .execute()
  if (!isEnded(result.status, result.reten_side)) return
  const completed = await tx
    .updateTable('dispatches')
    .set({ state: nextState(TRANSITIONS.reported), finished_at: sql<Date>`now()` })
    .where('id', '=', result.dispatch_id)
    .where('revision', '=', result.revision)
    .where('state', 'in', ['delivered', 'failed', 'canceled'])
    .returning('id')
    .executeTakeFirst()
  if (completed !== undefined) await endBlock(tx, completed.id)
}

function isEnded(ours: ResultStatus, side: RetenSide | null): boolean {
  return (side?.resultStatus ?? ours) !== 'PENDING'
}
