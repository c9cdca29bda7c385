// What a worker needs of the results it is to report.
import { sql } from 'kysely'
import type { ContactType, ResultStatus } from '../dispatch/result.ts'
import type { Db } from './database.ts'

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
  /** Reten holds a PENDING result of ours for this activity, or may hold it: the next one has to overwrite it. */
  readonly isAfterPending: boolean
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
      sql<boolean>`exists (
        select from results p
        where p.dispatch_id = r.dispatch_id and p.id <> r.id and p.status = 'PENDING' and (
          p.state in ('reported', 'unproven')
          or exists (select from jobs j where j.kind = 'report' and j.result_id = p.id and j.is_fate_unknown))
      )`.as('isAfterPending'),
      sql<boolean>`r.status = 'PENDING' and exists (
        select from results f
        where f.dispatch_id = r.dispatch_id and f.revision >= r.revision and f.status <> 'PENDING'
      )`.as('isOvertaken'),
    ])
    .where('r.id', 'in', resultIds)
    .execute()
  return new Map(rows.map((row) => [row.resultId, row]))
}
