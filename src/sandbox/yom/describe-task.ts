import type { Task } from './records.ts'

/** A task as the API shows it. */
export const describeTask = (task: Task): Record<string, unknown> => ({
  id: task.internalTaskId,
  internalTaskId: task.internalTaskId,
  externalId: task.externalId,
  activityId: task.activityId ?? null,
  commerceId: task.commerceId,
  sellerId: task.sellerId,
  status: task.status,
  outcome: task.outcome ?? null,
  createdAt: task.createdAt,
  updatedAt: task.updatedAt,
})
