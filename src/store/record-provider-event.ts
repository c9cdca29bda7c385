// A provider's webhook, kept as received, and applied to the dispatch it means: state, result and report job in one
// transaction. An event that matches no dispatch is kept and tried again later. Repeats change nothing: what a replay or a
// changed body began since then is not ended by old news.
import { hash } from 'node:crypto'
import { sql } from 'kysely'
import { computeDispatchId, readIdempotencyKey, uuidFromDigest } from '../dispatch/identity.ts'
import type { ProviderEvent } from '../dispatch/provider-event.ts'
import { isFinal } from '../dispatch/result.ts'
import { TRANSITIONS } from '../dispatch/states.ts'
import { storable } from './attempt.ts'
import type { Db, Tx } from './database.ts'
import { isWorthRunningAgain } from './database-errors.ts'
import { insertResult } from './insert-result.ts'
import { nextState } from './next-state.ts'

export interface ReceivedEvent {
  readonly connection: string
  readonly provider: string
  readonly event: ProviderEvent
  readonly body: Buffer
}

/** The dispatch an event was applied to; `isNew` where it brought a result that was not there. */
export interface MatchedEvent {
  readonly dispatchId: string
  readonly activityId: string
  readonly isNew: boolean
}

/** Keeps an event and applies it; undefined where no dispatch fits it yet. Committed when it resolves. */
export async function recordProviderEvent(db: Db, received: ReceivedEvent): Promise<MatchedEvent | undefined> {
  const id = computeEventId(received)
  try {
    return await keepAndApply(db, id, received)
  } catch (error) {
    // The provider tells it twice at once, or it meets the one who tries waiting events again: a deadlock undid this one.
    if (!isWorthRunningAgain(error)) throw error
    return keepAndApply(db, id, received)
  }
}

function keepAndApply(db: Db, id: string, received: ReceivedEvent): Promise<MatchedEvent | undefined> {
  return db.transaction().execute(async (tx) => {
    const kept = await keepEvent(tx, id, received)
    if (kept.matched_at === null || kept.dispatch_id === null) return applyEvent(tx, id, received)
    const activityId = await readActivityId(tx, kept.dispatch_id)
    return activityId === undefined ? undefined : { dispatchId: kept.dispatch_id, activityId, isNew: false }
  })
}

/** Applies a kept event to the dispatch it means and marks it matched; undefined where none fits. */
export async function applyEvent(
  tx: Tx,
  id: string,
  received: Pick<ReceivedEvent, 'connection' | 'event'>,
): Promise<MatchedEvent | undefined> {
  const { connection, event } = received
  const dispatch = await findDispatch(tx, connection, event)
  if (dispatch === undefined) return undefined
  const revision = revisionOf(dispatch, event)
  const isOutdated = revision < dispatch.revision
  const isProof = isFinal(event.content.status) && !isOutdated
  const { rows } = await sql<{ results: number }>`
    with target as materialized (
      select id, connection, type, commerce_id, seq, ${revision}::int as revision,
             -- The task of an earlier body, which the provider had accepted: it says nothing of the changed body's delivery.
             coalesce(dispatches.revision > 0 and state = 'received' and provider_task_id = ${storable(event.providerTaskId)}, false)
               as is_of_earlier_body
      from dispatches where id = ${dispatch.id}
    ), ${insertResult({ source: 'webhook', content: event.content, isOutdated })},
    news as materialized (
      select ${isProof} and not is_of_earlier_body and exists (select from result) as is_proof from target
    ), moved as (
      update dispatches set
        state = case when is_proof then ${nextState(TRANSITIONS.final_event)} else state end,
        delivered_at = case when is_proof then coalesce(delivered_at, now()) else delivered_at end,
        provider_task_id = coalesce(provider_task_id, ${storable(event.providerTaskId)}),
        provider_task_revision = case when provider_task_id is null and ${event.providerTaskId !== undefined}
          then ${revision}::int else provider_task_revision end,
        cancellation = case when is_proof and cancellation is not null then 'too_late' else cancellation end,
        overdue_at = case when is_proof then null else overdue_at end
      from news where id = ${dispatch.id}
    ),
    -- A final result proves an earlier try whose answer we never saw; a job that was not tried yet is a replay's and stays.
    proven as (
      delete from jobs using news
      where is_proof and dispatch_id = ${dispatch.id} and kind = 'deliver'
        and leased_until is null and (attempts > 0 or is_fate_unknown)
    ),
    -- What is done is not cancelled any more; whoever asks for that at this moment finds it told.
    uncanceled as (
      delete from jobs using news
      where is_proof and dispatch_id = ${dispatch.id} and kind = 'cancel' and leased_until is null
    ), matched as (
      update provider_events set matched_at = now(), dispatch_id = ${dispatch.id} where id = ${id}
    )
    select count(*)::int as results from result`.execute(tx)
  return { dispatchId: dispatch.id, activityId: dispatch.activity_id, isNew: (rows[0]?.results ?? 0) > 0 }
}

/**
 * Which revision of the dispatch an event is about: the one its key names, else the one its task was made for. What names neither
 * is about the present one.
 */
function revisionOf(dispatch: FoundDispatch, { dispatchId, providerTaskId }: ProviderEvent): number {
  const { revision, provider_task_id, provider_task_revision } = dispatch
  const named = dispatchId === undefined ? undefined : readIdempotencyKey(dispatchId)?.revision
  if (named !== undefined) return Math.min(named, revision)
  const known = provider_task_revision ?? revision
  if (providerTaskId === undefined || provider_task_id === null) return revision
  // Another task than the one we know of: the present revision's where ours is older than that, else an earlier one's.
  if (storable(providerTaskId) !== provider_task_id) return known < revision ? revision : Math.max(0, revision - 1)
  return known
}

/** By what makes an event the same: its id, or without one its body. Some providers number events per task only. */
function computeEventId({ connection, event, body }: ReceivedEvent): string {
  const { dispatchId, activityId, providerTaskId, content } = event
  const ids = JSON.stringify([content.eventId, dispatchId, activityId, providerTaskId])
  const identity = content.eventId === undefined ? `body\n${hash('sha256', body, 'hex')}` : `event\n${ids}`
  return uuidFromDigest(hash('sha256', `${connection}\n${identity}`, 'hex'))
}

async function keepEvent(tx: Tx, id: string, received: ReceivedEvent) {
  const { event } = received
  return tx
    .insertInto('provider_events')
    .values({
      id,
      connection: received.connection,
      provider: received.provider,
      activity_id: storable(event.activityId),
      provider_task_id: storable(event.providerTaskId),
      content: JSON.stringify(event),
      body: received.body,
    })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ times: sql<number>`provider_events.times + 1` }))
    .returning(['matched_at', 'dispatch_id'])
    .executeTakeFirstOrThrow()
}

async function readActivityId(tx: Tx, dispatchId: string): Promise<string | undefined> {
  const dispatch = await tx
    .selectFrom('dispatches')
    .select('activity_id')
    .where('id', '=', dispatchId)
    .executeTakeFirst()
  return dispatch?.activity_id
}

const FOUND_COLUMNS = ['id', 'activity_id', 'revision', 'provider_task_id', 'provider_task_revision'] as const

interface FoundDispatch {
  readonly id: string
  readonly activity_id: string
  readonly revision: number
  readonly provider_task_id: string | null
  readonly provider_task_revision: number | null
}

/** By our id, else by Reten's, else by the provider's own; never a dispatch of another connection. Locks what it finds. */
async function findDispatch(tx: Tx, connection: string, event: ProviderEvent): Promise<FoundDispatch | undefined> {
  const ids: string[] = []
  const named = event.dispatchId === undefined ? undefined : readIdempotencyKey(event.dispatchId)
  if (named !== undefined) ids.push(named.dispatchId)
  if (event.activityId !== undefined) ids.push(computeDispatchId(connection, event.activityId))
  for (const id of ids) {
    const found = await tx
      .selectFrom('dispatches')
      .select(FOUND_COLUMNS)
      .where('id', '=', id)
      .where('connection', '=', connection)
      .forUpdate()
      .executeTakeFirst()
    if (found !== undefined) return found
  }
  const taskId = storable(event.providerTaskId)
  if (taskId === null) return undefined
  return tx
    .selectFrom('dispatches')
    .select(FOUND_COLUMNS)
    .where('connection', '=', connection)
    .where('provider_task_id', '=', taskId)
    .orderBy('seq', 'desc')
    .forUpdate()
    .executeTakeFirst()
}
