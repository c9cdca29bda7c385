// What a worker needs of the results it is to report.
import { sql } from 'kysely'
import type { ContactType, ResultSource, ResultStatus } from '../dispatch/result.ts'
import type { Db } from './database.ts'
import { isEnd } from './result-end.ts'

export interface Report {
  readonly resultId: string
  readonly dispatchId: string
  readonly activityId: string
  readonly commerceId: string
  readonly receivedAt: Date
  readonly status: ResultStatus
  readonly code: string
  readonly occurredAt: Date
  readonly externalStatus: string | null
  readonly comment: string | null
  readonly contactType: ContactType | null
  readonly operatorExternalId: string | null
  readonly futureScheduledAt: Date | null
  readonly source: ResultSource
  /** When the activity is to happen: what Reten's list can be asked by. */
  readonly scheduledAt: Date | null
  /** Why it waits, where it is held. */
  readonly heldFor: string | null
  /** Results of ours that only announced this one (PENDING, or the service's own) and that Reten has or may have. */
  readonly announcedBy: readonly { readonly status: ResultStatus; readonly occurredAt: string }[]
  /** A person decided that it overwrites whatever Reten holds. */
  readonly isOverride: boolean
  /** Reten has, or may have, another result of ours with the same status and instant: its list cannot tell them apart. */
  readonly hasTwin: boolean
  /** It announces a final result that is there by now: Reten is not to be told any more. */
  readonly isOvertaken: boolean
}

/** Loads results with their dispatches, by result id. */
export async function loadReports(db: Db, resultIds: readonly string[]): Promise<ReadonlyMap<string, Report>> {
  const rows = await db
    .selectFrom('results as r')
    .innerJoin('dispatches as d', 'd.id', 'r.dispatch_id')
    .select([
      'r.id as resultId',
      'd.id as dispatchId',
      'd.activity_id as activityId',
      'd.commerce_id as commerceId',
      'd.received_at as receivedAt',
      'r.status',
      'r.code',
      'r.occurred_at as occurredAt',
      'r.external_status as externalStatus',
      'r.comment',
      'r.contact_type as contactType',
      'r.operator_external_id as operatorExternalId',
      'r.future_scheduled_at as futureScheduledAt',
      'r.source',
      'd.scheduled_at as scheduledAt',
      'r.reason_code as heldFor',
      'r.is_override as isOverride',
      sql<Report['announcedBy']>`coalesce((
        select json_agg(json_build_object('status', p.status, 'occurredAt', p.occurred_at)) from results p
        where p.dispatch_id = r.dispatch_id and p.id <> r.id and not ${isEnd('p')} and (
          p.state in ('reported', 'unproven')
          or exists (select from jobs j where j.kind = 'report' and j.result_id = p.id and j.is_fate_unknown))
      ), '[]')`.as('announcedBy'),
      sql<boolean>`exists (
        select from results p
        where p.dispatch_id = r.dispatch_id and p.id <> r.id and p.status = r.status and p.occurred_at = r.occurred_at
          and p.state in ('reported', 'unproven', 'conflict')
      )`.as('hasTwin'),
      sql<boolean>`not ${isEnd('r')} and exists (
        select from results f
        where f.dispatch_id = r.dispatch_id and f.revision >= r.revision and ${isEnd('f')}
      )`.as('isOvertaken'),
    ])
    .where('r.id', 'in', resultIds)
    .execute()
  return new Map(rows.map((row) => [row.resultId, row]))
}
