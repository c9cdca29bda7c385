// A result that a person tells, in place of a provider that did not or could not.
import { sql } from 'kysely'
import type { ResultContent, ResultState } from '../dispatch/result.ts'
import type { DispatchState } from '../dispatch/states.ts'
import type { Db } from './database.ts'
import { insertResult } from './insert-result.ts'
import { writeAudit } from './write-audit.ts'
import type { Author } from './write-audit.ts'

export interface HandReport {
  readonly id: string
  readonly content: ResultContent
  /** It overwrites whatever Reten holds. */
  readonly isOverride: boolean
  readonly reason: string
  readonly author: Author
}

export interface HandReported {
  readonly resultId: string
  readonly dispatchId: string
  readonly activityId: string
  readonly connection: string
  readonly state: ResultState
}

/**
 * - `undelivered`: its delivery is still to be made, or parked: that has to be ended first.
 * - `exists`: the same content is there already.
 */
export type HandReportOutcome =
  | { readonly kind: 'reported'; readonly reported: HandReported }
  | { readonly kind: 'undelivered'; readonly state: DispatchState }
  | { readonly kind: 'exists' | 'not_found' }

/**
 * Keeps the result and makes its report due; what of the dispatch Reten refused, or has something else for, gives way to it.
 * Committed when it resolves.
 */
export async function reportByHand(db: Db, report: HandReport): Promise<HandReportOutcome> {
  return db.transaction().execute(async (tx) => {
    const dispatch = await tx
      .selectFrom('dispatches')
      .select(['id', 'activity_id', 'connection', 'state'])
      .where('id', '=', report.id)
      .forUpdate()
      .executeTakeFirst()
    if (dispatch === undefined) return { kind: 'not_found' }
    const { state, connection } = dispatch
    if (state === 'received') return { kind: 'undelivered', state }
    const { rows } = await sql<{ id: string; state: ResultState }>`
      with target as materialized (
        select id, connection, type, commerce_id, seq, revision from dispatches where id = ${dispatch.id}
      ), ${insertResult({ source: 'operator', content: report.content, isOverride: report.isOverride })},
      given_way as (
        update results r set state = 'superseded', reason_code = 'superseded', settled_at = now(), attention_at = null
        from result where r.dispatch_id = result.dispatch_id and result.state = 'pending' and r.state in ('failed', 'conflict')
      )
      select id, state from result`.execute(tx)
    const [result] = rows
    if (result === undefined) return { kind: 'exists' }
    await writeAudit(tx, {
      author: report.author,
      action: 'result.told_by_hand',
      connection,
      target: dispatch.id,
      reason: report.reason,
      detail: { resultId: result.id, content: report.content, isOverride: report.isOverride },
    })
    const { id: dispatchId, activity_id: activityId } = dispatch
    return {
      kind: 'reported',
      reported: { resultId: result.id, dispatchId, activityId, connection, state: result.state },
    }
  })
}
