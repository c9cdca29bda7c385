import { created, ok, type Answer } from '../answer.ts'
import type { Task, TaskBody } from './records.ts'
import { refuse } from './refuse.ts'
import type { YomState } from './state.ts'

/** What became of a request for a task. */
export interface TaskCreation {
  readonly answer: Answer
  /** The task, when this request made one. */
  readonly task?: Task
}

/** Makes a task, or answers with the one there is, as far as the switches say that this can be known. */
export const createTask = (state: YomState, body: TaskBody, idempotencyKey: string | undefined): TaskCreation => {
  const { switches } = state
  state.totals.taskRequests += 1
  const externalId = body.externalId ?? idempotencyKey
  if (externalId === undefined) return { answer: refuse(400, 'externalId or the header Idempotency-Key is required') }
  if (!switches.hasTasks) return { answer: refuse(403, 'Tasks are not enabled for this customer') }
  if (switches.unknownCommerces.includes(body.commerceId)) {
    return { answer: refuse(404, `Commerce ${body.commerceId} not found`, { commerceId: body.commerceId }) }
  }

  if (switches.idempotency === 'key' && idempotencyKey !== undefined) {
    const known = state.byKey.get(idempotencyKey)
    if (known !== undefined) return { answer: answerRepeat(state, known, body) }
  }

  const now = state.clock.nowIso()
  const task: Task = {
    internalTaskId: state.nextId('task', 24),
    externalId,
    activityId: body.activityId,
    idempotencyKey,
    commerceId: body.commerceId,
    sellerId: body.sellerId ?? null,
    body,
    createdAt: now,
    status: 'OPEN',
    outcome: undefined,
    updatedAt: now,
    events: [],
    repeats: 0,
  }
  state.tasks.set(task.internalTaskId, task)
  state.changes.push(task.internalTaskId)
  const alike = state.byExternalId.get(externalId)
  if (alike === undefined) state.byExternalId.set(externalId, [task])
  else alike.push(task)
  if (idempotencyKey !== undefined) state.byKey.set(idempotencyKey, task)
  return { answer: created(describeCreation(task, 'CREATED')), task }
}

const answerRepeat = (state: YomState, task: Task, body: TaskBody): Answer => {
  task.repeats += 1
  state.totals.repeats += 1
  if (state.switches.keyReuse === 'refuse' && JSON.stringify(task.body) !== JSON.stringify(body)) {
    return refuse(422, 'The Idempotency-Key was used with another body', { internalTaskId: task.internalTaskId })
  }
  return ok(describeCreation(task, 'EXISTING'))
}

const describeCreation = (task: Task, status: 'CREATED' | 'EXISTING'): Record<string, unknown> => ({
  status,
  id: task.internalTaskId,
  internalTaskId: task.internalTaskId,
  externalId: task.externalId,
})
