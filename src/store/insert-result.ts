// A result and its report job, as parts of the statement that brings them about.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { isFinal, REPORTABLE_TYPES } from '../dispatch/result.ts'
import type { ResultContent } from '../dispatch/result.ts'
import { storable } from './attempt.ts'

export interface NewResult {
  readonly source: 'adapter' | 'webhook' | 'operator'
  readonly content: ResultContent
}

// A PENDING result announces a final one. It waits this long, so that a final one that comes meanwhile takes its place: Reten
// refuses a final result that happened before the PENDING one was written there.
const PENDING_DELAY_SECONDS = 60

/**
 * Parts `result` and `report` (and what they bring about) for a statement whose part `target` holds the dispatch's row (id,
 * connection, type, commerce_id, seq, revision), locked before the statement began.
 * - A result that is there already, by the provider's event id or by its content, is left alone and reported once.
 * - A result of a type that Reten takes no results for yet is kept and marked.
 * - A PENDING result after a final one is kept and never reported: late news of the beginning does not undo the end. A final
 *   one takes the place of a PENDING one that Reten was not told yet; where Reten may have been told, that stays unproven.
 */
export function insertResult(result: NewResult): RawBuilder<unknown> {
  const { content } = result
  const isPending = !isFinal(content.status)
  return sql`announced as (
      select target.*, type = any(${sql.val([...REPORTABLE_TYPES])}::text[]) as is_reportable,
             ${isPending} and exists (
               select from results r
               where r.dispatch_id = target.id and r.revision = target.revision and r.status <> 'PENDING') as is_late
      from target
    ), result as (
      insert into results (dispatch_id, connection, source, event_id, revision, status, code, occurred_at, external_status,
                           comment, contact_type, operator_external_id, future_scheduled_at, state, reason_code, settled_at)
      select id, connection, ${result.source}, ${storable(content.eventId)}, revision, ${content.status},
             ${storable(content.code)}, ${content.occurredAt}::timestamptz, ${storable(content.externalStatus)},
             ${storable(content.comment)}, ${content.contactType ?? null}, ${storable(content.operatorExternalId)},
             ${content.futureScheduledAt ?? null}::timestamptz,
             case when not is_reportable then 'unreportable' when is_late then 'superseded' else 'pending' end,
             case when not is_reportable then 'type_not_reportable' end, case when is_late then now() end
      from announced
      on conflict do nothing
      returning id, dispatch_id, state
    ), dropped as (
      -- A job that a worker takes at this moment is not dropped, and then its result is not superseded either.
      delete from jobs using target
      where ${!isPending} and jobs.dispatch_id = target.id and kind = 'report' and leased_until is null
        and result_id in (select r.id from results r where r.dispatch_id = target.id and r.status = 'PENDING')
      returning result_id, is_fate_unknown
    ), superseded as (
      update results r set settled_at = now(), reason_code = 'superseded',
        state = case when dropped.is_fate_unknown then 'unproven' else 'superseded' end
      from dropped where r.id = dropped.result_id
    ), report as (
      insert into jobs (kind, connection, dispatch_id, result_id, commerce_id, seq, revision, due_at)
      select 'report', target.connection, target.id, result.id, target.commerce_id, target.seq, target.revision,
             now() + make_interval(secs => ${isPending ? PENDING_DELAY_SECONDS : 0})
      from target join result on result.dispatch_id = target.id and result.state = 'pending'
    )`
}
