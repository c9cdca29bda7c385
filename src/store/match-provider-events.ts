// Events that came before the dispatch they mean was known by that id, tried again. Which of them fit a dispatch now is asked in
// one statement; each that does is applied in a transaction of its own, the oldest first, as they would have been.
import { sql } from 'kysely'
import { computeDispatchId, readIdempotencyKey } from '../dispatch/identity.ts'
import type { ProviderEvent } from '../dispatch/provider-event.ts'
import type { Logger } from '../logger.ts'
import { storable } from './attempt.ts'
import { isDatabaseAway } from './database-errors.ts'
import type { Db } from './database.ts'
import { applyEvent } from './record-provider-event.ts'

/** Applies kept events that fit a dispatch now; answers how many did. */
export type MatchProviderEvents = () => Promise<number>

// One turn stays short; the next turn goes on.
const BATCH = 500
// What has not found its dispatch by then never will; it stays where it is, for an operator.
const MAX_AGE_DAYS = 30

interface WaitingEvent {
  readonly id: string
  readonly connection: string
  readonly content: unknown
  /** As PostgreSQL writes it, to the microsecond. */
  readonly receivedAt: string
}

/**
 * Builds the turn. Each one looks at the newest events, which are the likely ones, and at as many older ones, further back each
 * time: a provider that tells of tasks we never asked for must not hide those that wait behind them.
 */
export function createEventMatcher(db: Db, logger: Logger, batch = BATCH): MatchProviderEvents {
  let oldest: WaitingEvent | undefined
  return async () => {
    const newest = await readWaiting(db, undefined, batch)
    const older = oldest === undefined || newest.length < batch ? [] : await readWaiting(db, oldest, batch)
    const last = older.length > 0 ? older : newest
    oldest = last.length < batch ? undefined : last.at(-1)
    const fitting = await findFitting(db, [...newest, ...older])
    let matched = 0
    for (const event of fitting.toReversed()) if (await apply(db, logger, event)) matched += 1
    return matched
  }
}

/** From the newest to the oldest, those before `before`. */
async function readWaiting(db: Db, before: WaitingEvent | undefined, limit: number): Promise<WaitingEvent[]> {
  const { rows } = await sql<WaitingEvent>`
    select id, connection, content, received_at::text as "receivedAt" from provider_events
    where matched_at is null and received_at > now() - make_interval(days => ${MAX_AGE_DAYS})
      and ${before === undefined ? sql`true` : sql`(received_at, id) < (${before.receivedAt}::timestamptz, ${before.id}::uuid)`}
    order by received_at desc, id desc limit ${limit}`.execute(db)
  return rows
}

async function findFitting(db: Db, waiting: readonly WaitingEvent[]): Promise<WaitingEvent[]> {
  if (waiting.length === 0) return []
  const events = waiting.map((row) => ({ ...row, event: toEvent(row) }))
  const { rows } = await sql<{ id: string }>`
    select e.id from unnest(
      ${events.map(({ id }) => id)}::uuid[],
      ${events.map(({ connection }) => connection)}::text[],
      ${events.map(({ event: { dispatchId } }) => (dispatchId === undefined ? null : (readIdempotencyKey(dispatchId)?.dispatchId ?? null)))}::uuid[],
      ${events.map(({ connection, event: { activityId } }) => (activityId === undefined ? null : computeDispatchId(connection, activityId)))}::uuid[],
      ${events.map(({ event: { providerTaskId } }) => storable(providerTaskId))}::text[]
    ) as e (id, connection, dispatch_id, computed_id, provider_task_id)
    where exists (select from dispatches d where d.connection = e.connection and d.id in (e.dispatch_id, e.computed_id))
      or exists (select from dispatches d where d.connection = e.connection and d.provider_task_id = e.provider_task_id)`.execute(
    db,
  )
  const fitting = new Set(rows.map((row) => row.id))
  return waiting.filter((row) => fitting.has(row.id))
}

/** One event that cannot be applied must not keep the others waiting: it is told of and stays. */
async function apply(db: Db, logger: Logger, row: WaitingEvent): Promise<boolean> {
  const { id, connection } = row
  try {
    return await db.transaction().execute(async (tx) => {
      // The provider may be telling it again at this moment: whoever locks it first applies it, the other leaves it alone.
      const { rows } = await sql`
        select from provider_events where id = ${id} and matched_at is null for update`.execute(tx)
      if (rows.length === 0) return false
      return (await applyEvent(tx, id, { connection, event: toEvent(row) })) !== undefined
    })
  } catch (error) {
    if (isDatabaseAway(error)) throw error
    logger.error(
      { event: 'result.unmatched', connection, providerEventId: id, err: error },
      'an event cannot be applied',
    )
    return false
  }
}

function toEvent(row: WaitingEvent): ProviderEvent {
  return row.content as ProviderEvent // written from one, by recordProviderEvent
}
