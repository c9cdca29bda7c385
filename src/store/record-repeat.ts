// A dispatch that came again. The same body is counted; another body is counted, kept, and becomes the one to deliver only
// where the connection says so and delivers its channel.
//
// What was found in Reten's list has a row of that list for a body. The first push that comes after it is no change but the whole
// of the same activity: it takes the row's place as long as no worker has begun with it, and is only kept after that.
//
// Lock order, here as everywhere: the dispatch (the count locks it), then its job; the other way round this and a worker that
// settles could wait for each other.
import { hash } from 'node:crypto'
import { sql } from 'kysely'
import type { Db, Tx } from './database.ts'
import type { NewDispatch } from './insert-dispatches.ts'
import { TRANSITIONS } from '../dispatch/states.ts'
import { endBlock } from './end-block.ts'
import { nextState } from './next-state.ts'

export interface Repeat {
  readonly row: NewDispatch
  readonly onChangedBody: 'keep' | 'redeliver'
}

/** `same`: the stored body again. `changed`: another body, kept now. `known`: another body that was kept before. */
export type RepeatKind = 'same' | 'changed' | 'known'

/** Records one repeat of a stored dispatch; committed when it resolves. */
export async function recordRepeat(db: Db, repeat: Repeat): Promise<RepeatKind> {
  const sha256 = Buffer.from(hash('sha256', repeat.row.body, 'hex'), 'hex')
  const isRedelivered = repeat.onChangedBody === 'redeliver' && repeat.row.isForUs
  return db.transaction().execute(async (tx) => {
    const counted = await countRepeat(tx, repeat.row.id, sha256)
    if (counted.isSame) return 'same'
    if (!(await keepBody(tx, repeat.row, sha256, counted.changedBodies))) return 'known'
    if (counted.isFirstPush) {
      if (repeat.row.isForUs) await completeListed(tx, repeat.row, sha256, counted.changedBodies)
    } else if (isRedelivered) await makeCurrent(tx, repeat.row, sha256, counted.changedBodies)
    return 'changed'
  })
}

interface Counted {
  readonly isSame: boolean
  readonly changedBodies: number
  /** So far there was only the row of Reten's list. */
  readonly isFirstPush: boolean
}

async function countRepeat(tx: Tx, id: string, sha256: Buffer): Promise<Counted> {
  const row = await tx
    .updateTable('dispatches')
    .set((eb) => ({
      repeats: eb('repeats', '+', 1),
      changed_bodies: sql<number>`changed_bodies + (body_sha256 <> ${sha256})::int`,
    }))
    .where('id', '=', id)
    .returning([
      'changed_bodies',
      sql<boolean>`body_sha256 = ${sha256}`.as('is_same'),
      sql<boolean>`origin = 'reconciled' and changed_bodies = 1`.as('is_first_push'),
    ])
    .executeTakeFirstOrThrow()
  return { isSame: row.is_same, changedBodies: row.changed_bodies, isFirstPush: row.is_first_push }
}

/** False where this body was kept before. The count of changed bodies only grows under the row's lock: it numbers them. */
async function keepBody(tx: Tx, row: NewDispatch, sha256: Buffer, bodyNo: number): Promise<boolean> {
  const { rows } = await sql`
    insert into dispatch_bodies (day, dispatch_id, body_no, sha256, headers, body)
    select (now() at time zone 'utc')::date, ${row.id}, ${bodyNo}, ${sha256}, ${JSON.stringify(row.headers)}::json, ${row.body}
    where not exists (select from dispatch_bodies where dispatch_id = ${row.id} and sha256 = ${sha256})
    returning body_no`.execute(tx)
  return rows.length > 0
}

/** The pushed body takes the place of the listed one, under the same revision: nobody was given that yet. */
async function completeListed(tx: Tx, row: NewDispatch, sha256: Buffer, bodyNo: number): Promise<void> {
  await sql`
    with unbegun as (
      select id from jobs
      where dispatch_id = ${row.id} and kind = 'deliver' and claim_no = 0 and leased_until is null
      for update
    ), d as (
      update dispatches set
        body_no = ${bodyNo}, body_day = (now() at time zone 'utc')::date, body_sha256 = ${sha256}, type = ${row.type},
        channel = ${row.channel ?? null}, commerce_id = ${row.commerceId}, operator_id = ${row.operatorId ?? null},
        scheduled_at = ${row.scheduledAt ?? null}
      where id = ${row.id} and state = 'received' and exists (select from unbegun)
      returning commerce_id
    )
    update jobs set commerce_id = d.commerce_id from d, unbegun where jobs.id = unbegun.id`.execute(tx)
}

/** The changed body becomes the one to deliver, under the next revision; a delivery under way is repeated after it ends. */
async function makeCurrent(tx: Tx, row: NewDispatch, sha256: Buffer, bodyNo: number): Promise<void> {
  await sql`
    with d as (
      update dispatches set
        revision = revision + 1, body_no = ${bodyNo}, body_day = (now() at time zone 'utc')::date, body_sha256 = ${sha256},
        type = ${row.type}, channel = ${row.channel ?? null}, commerce_id = ${row.commerceId}, operator_id = ${row.operatorId ?? null},
        scheduled_at = ${row.scheduledAt ?? null}, state = ${nextState(TRANSITIONS.replay)}, reason_code = null,
        cancellation = null, overdue_at = null, finished_at = null
      where id = ${row.id}
      returning id, connection, commerce_id, seq, revision
    ), forgotten as (
      -- What was to be cancelled was the body before; a worker that asks for it at this moment settles nothing.
      delete from jobs where dispatch_id = ${row.id} and kind = 'cancel'
    )
    insert into jobs (kind, connection, dispatch_id, commerce_id, seq, revision)
    select 'deliver', connection, id, commerce_id, seq, revision from d
    on conflict (dispatch_id) where kind = 'deliver' do update set
      revision = excluded.revision, commerce_id = excluded.commerce_id, parked_reason = null,
      due_at = now(), attempts = 0, crashes = 0, is_fate_unknown = false`.execute(tx)
  await endBlock(tx, row.id)
}
