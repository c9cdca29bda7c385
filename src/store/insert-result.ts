// A result and its report job, as parts of the statement that brings them about.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { isFinal, REPORTABLE_TYPES } from '../dispatch/result.ts'
import type { ResultContent, ResultSource } from '../dispatch/result.ts'
import { storable } from './attempt.ts'
import { isEnd } from './result-end.ts'

export interface NewResult {
  readonly source: ResultSource
  readonly content: ResultContent
  /** It is about an earlier revision than the dispatch has now; `target` holds that one. */
  readonly isOutdated?: boolean
  /** A person decided that it overwrites what Reten holds. */
  readonly isOverride?: boolean
}

// A result that announces another one waits this long, so that one that comes meanwhile takes its place: Reten refuses a final
// result that happened before the PENDING one was written there.
const ANNOUNCING_DELAY_SECONDS = 60

/**
 * Parts `result` and `report` (and what they bring about) for a statement whose part `target` holds the dispatch's row (id,
 * connection, type, commerce_id, seq, revision), locked before the statement began.
 * - A result that is there already, by the provider's event id or by its content, is left alone and reported once. The same
 *   content under another event id is kept and not reported, unless Reten refused the first.
 * - A result of a type that Reten takes no results for yet is kept and marked.
 * - A PENDING result, or one of the service's own, after the end is kept and never reported: late news of the beginning does not
 *   undo the end. The end takes the place of such a one that Reten was not told yet; where it may have been, that stays unproven.
 * - A result of an earlier revision is kept and not reported: a later one takes its place.
 */
export function insertResult(result: NewResult): RawBuilder<unknown> {
  const { content, source, isOutdated = false, isOverride = false } = result
  const isAnnouncing = !isFinal(content.status) || source === 'service'
  return sql`announced as (
      select target.*, type = any(${sql.val([...REPORTABLE_TYPES])}::text[]) as is_reportable,
             case when ${isOutdated} then 'earlier_revision'
               when ${isAnnouncing} and exists (
                 select from results r
                 where r.dispatch_id = target.id and r.revision = target.revision and ${isEnd('r')}) then 'superseded'
               when ${!isAnnouncing && !isOverride} and exists (
                 select from results r
                 where r.dispatch_id = target.id and r.revision = target.revision and r.status = ${content.status}
                   and r.code = ${storable(content.code)} and r.occurred_at = ${content.occurredAt}::timestamptz
                   and r.state <> 'failed') then 'repeated'
             end as overtaken
      from target
    ), result as (
      insert into results (dispatch_id, connection, source, event_id, revision, status, code, occurred_at, external_status,
                           comment, contact_type, operator_external_id, future_scheduled_at, is_override, state, reason_code,
                           settled_at, attention_at)
      select id, connection, ${source}, ${storable(content.eventId)}, revision, ${content.status},
             ${storable(content.code)}, ${content.occurredAt}::timestamptz, ${storable(content.externalStatus)},
             ${storable(content.comment)}, ${content.contactType ?? null}, ${storable(content.operatorExternalId)},
             ${content.futureScheduledAt ?? null}::timestamptz, ${isOverride},
             case when not is_reportable then 'unreportable' when overtaken is not null then 'superseded' else 'pending' end,
             case when not is_reportable then 'type_not_reportable' else overtaken end,
             case when is_reportable and overtaken is not null then now() end,
             case when not is_reportable or overtaken = 'earlier_revision' then now() end
      from announced
      on conflict do nothing
      returning id, dispatch_id, state
    ), dropped as (
      -- A job that a worker takes at this moment is not dropped, and then its result is not superseded either.
      delete from jobs using target
      where ${!isAnnouncing && !isOutdated} and jobs.dispatch_id = target.id and kind = 'report' and leased_until is null
        and result_id in (select r.id from results r where r.dispatch_id = target.id and not ${isEnd('r')})
      returning result_id, is_fate_unknown
    ), superseded as (
      update results r set settled_at = now(), reason_code = 'superseded',
        state = case when dropped.is_fate_unknown then 'unproven' else 'superseded' end,
        attention_at = null
      from dropped where r.id = dropped.result_id
    ), report as (
      insert into jobs (kind, connection, dispatch_id, result_id, commerce_id, seq, revision, due_at)
      select 'report', target.connection, target.id, result.id, target.commerce_id, target.seq, target.revision,
             now() + make_interval(secs => ${isAnnouncing ? ANNOUNCING_DELAY_SECONDS : 0})
      from target join result on result.dispatch_id = target.id and result.state = 'pending'
    )`
}
