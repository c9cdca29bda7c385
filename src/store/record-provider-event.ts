// A provider's webhook, kept as received, and applied to the dispatch it means: state, result and report job in one
// transaction. An event that matches no dispatch is kept and tried again later. Repeats change nothing.
import { hash } from 'node:crypto'
import { sql } from 'kysely'
import { computeDispatchId, isUuid, uuidFromDigest } from '../dispatch/identity.ts'
import type { ProviderEvent } from '../dispatch/provider-event.ts'
import { isFinal } from '../dispatch/result.ts'
import { TRANSITIONS } from '../dispatch/states.ts'
import type { Db, Tx } from './database.ts'
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
  return db.transaction().execute(async (tx) => {
    await keepEvent(tx, id, received)
    return applyEvent(tx, id, received)
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
  const move = isFinal(event.content.status) ? nextState(TRANSITIONS.final_event) : sql`state`
  const { rows } = await sql<{ results: number }>`
    with target as (
      update dispatches set
        state = ${move}, provider_task_id = coalesce(provider_task_id, ${event.providerTaskId ?? null}),
        delivered_at = case when ${isFinal(event.content.status)} then coalesce(delivered_at, now()) else delivered_at end
      where id = ${dispatch.id}
      returning id, connection, type, commerce_id, seq, revision
    ), ${insertResult({ source: 'webhook', content: event.content })},
    -- A final result proves an earlier try whose answer we never saw; a job that was not tried yet is a replay's and stays.
    proven as (
      delete from jobs using target
      where ${isFinal(event.content.status)} and jobs.dispatch_id = target.id and jobs.kind = 'deliver'
        and jobs.leased_until is null and (jobs.attempts > 0 or jobs.is_fate_unknown)
    ), matched as (
      update provider_events set matched_at = now(), dispatch_id = ${dispatch.id} where id = ${id}
    )
    select count(*)::int as results from result`.execute(tx)
  return { dispatchId: dispatch.id, activityId: dispatch.activity_id, isNew: (rows[0]?.results ?? 0) > 0 }
}

function computeEventId({ connection, event, body }: ReceivedEvent): string {
  const { eventId } = event.content
  const identity = eventId === undefined ? `body\n${hash('sha256', body, 'hex')}` : `event\n${eventId}`
  return uuidFromDigest(hash('sha256', `${connection}\n${identity}`, 'hex'))
}

async function keepEvent(tx: Tx, id: string, received: ReceivedEvent): Promise<void> {
  const { event } = received
  await tx
    .insertInto('provider_events')
    .values({
      id,
      connection: received.connection,
      provider: received.provider,
      activity_id: event.activityId ?? null,
      provider_task_id: event.providerTaskId ?? null,
      content: JSON.stringify(event),
      body: received.body,
    })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ times: sql<number>`provider_events.times + 1` }))
    .execute()
}

/** By our id, else by Reten's, else by the provider's own; never a dispatch of another connection. Locks what it finds. */
async function findDispatch(
  tx: Tx,
  connection: string,
  event: ProviderEvent,
): Promise<{ id: string; activity_id: string } | undefined> {
  const ids: string[] = []
  if (event.dispatchId !== undefined && isUuid(event.dispatchId)) ids.push(event.dispatchId.toLowerCase())
  if (event.activityId !== undefined) ids.push(computeDispatchId(connection, event.activityId))
  for (const id of ids) {
    const found = await tx
      .selectFrom('dispatches')
      .select(['id', 'activity_id'])
      .where('id', '=', id)
      .where('connection', '=', connection)
      .forUpdate()
      .executeTakeFirst()
    if (found !== undefined) return found
  }
  if (event.providerTaskId === undefined) return undefined
  return tx
    .selectFrom('dispatches')
    .select(['id', 'activity_id'])
    .where('connection', '=', connection)
    .where('provider_task_id', '=', event.providerTaskId)
    .orderBy('seq', 'desc')
    .forUpdate()
    .executeTakeFirst()
}
