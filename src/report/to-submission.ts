import type { ResultSubmission } from '../schema-types.ts'
import type { Report } from '../store/load-reports.ts'

export interface SubmissionOptions {
  /** Reten's code for the provider's. */
  readonly code: string
  /** A second result is refused unless it says that it overwrites. */
  readonly isOverwriting: boolean
}

/** A stored result as Reten's results endpoint takes it. Source: Reten's documentation of that endpoint, snake_case. */
export function toSubmission(report: Report, { code, isOverwriting }: SubmissionOptions): ResultSubmission {
  return {
    activity_id: report.activityId,
    provider_activity_id: report.dispatchId,
    commerce_external_id: report.commerceId,
    occurred_at: report.occurredAt.toISOString(),
    status: report.status,
    ...(report.externalStatus === null ? {} : { external_status: report.externalStatus }),
    ...(isOverwriting ? { hard_override: true } : {}),
    task_result: {
      result: code,
      ...(report.comment === null ? {} : { comment: report.comment }),
      ...(report.contactType === null ? {} : { contact_type: report.contactType }),
      ...(report.operatorExternalId === null ? {} : { operator_external_id: report.operatorExternalId }),
      ...(report.futureScheduledAt === null ? {} : { future_scheduled_at: report.futureScheduledAt.toISOString() }),
    },
  }
}
