// A result and its report job, as parts of the statement that brings them about.
import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { REPORTABLE_TYPES } from '../dispatch/result.ts'
import type { ResultContent } from '../dispatch/result.ts'
import { storable } from './attempt.ts'

export interface NewResult {
  readonly source: 'adapter' | 'webhook' | 'operator'
  readonly content: ResultContent
}

/**
 * Parts `result` and `report` for a statement whose part `target` holds the dispatch's row (id, connection, type,
 * commerce_id, seq, revision). A result of a type that Reten takes no results for yet is kept and marked. A result that is there already, by the provider's event id or by its content, is left alone and reported once.
 */
export function insertResult(result: NewResult): RawBuilder<unknown> {
  const { content } = result
  const isReportable = sql`type = any(${sql.val([...REPORTABLE_TYPES])}::text[])`
  return sql`result as (
      insert into results (dispatch_id, connection, source, event_id, revision, status, code, occurred_at, external_status,
                           comment, contact_type, operator_external_id, future_scheduled_at, state, reason_code)
      select id, connection, ${result.source}, ${storable(content.eventId)}, revision, ${content.status},
             ${storable(content.code)}, ${content.occurredAt}::timestamptz, ${storable(content.externalStatus)},
             ${storable(content.comment)}, ${content.contactType ?? null}, ${storable(content.operatorExternalId)},
             ${content.futureScheduledAt ?? null}::timestamptz, case when ${isReportable} then 'pending' else 'unreportable' end,
             case when ${isReportable} then null else 'type_not_reportable' end
      from target
      on conflict do nothing
      returning id, dispatch_id, state
    ), report as (
      insert into jobs (kind, connection, dispatch_id, result_id, commerce_id, seq, revision)
      select 'report', target.connection, target.id, result.id, target.commerce_id, target.seq, target.revision
      from target join result on result.dispatch_id = target.id and result.state = 'pending'
    )`
}
