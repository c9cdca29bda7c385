import type { Activity } from './records.ts'

/** A row of the core list, as documented. */
export const describeActivityRow = (activity: Activity): Record<string, unknown> => ({
  id: activity.id,
  type: activity.type,
  channel: activity.channel,
  status: activity.status,
  scheduledAt: activity.scheduledAt,
  reason: activity.reason,
  userStatus: activity.userStatus,
  commerceAssignment: { commerceId: activity.commerce.id, commerce: { name: activity.commerce.name } },
})

/** One activity by id; its documentation was never seen, so what is beyond the row is an assumption. */
export const describeActivity = (activity: Activity): Record<string, unknown> => ({
  ...describeActivityRow(activity),
  score: activity.score,
  assignmentReason: activity.assignmentReason,
  suggestedExecutionTime: activity.suggestedExecutionTime,
  idempotencyKey: activity.idempotencyKey,
  dispatchAttemptCount: activity.dispatchAttemptCount,
  providerActivityId: activity.providerActivityId ?? null,
  taskDetails: {
    assignedOperatorId: activity.operator?.id ?? null,
    assignedOperator:
      activity.operator === undefined
        ? null
        : { externalId: activity.operator.externalId, name: activity.operator.name, type: activity.operator.type },
    assignedRouteId: activity.route?.id ?? null,
  },
  createdAt: activity.createdAt,
  updatedAt: activity.updatedAt,
})
