import type { ResultChoice } from './switches.ts'
import type { Task, TaskEvent, TaskOutcome, WebhookBody } from './records.ts'
import type { YomState } from './state.ts'

const DAY_MS = 86_400_000

/** Ends a task with a drawn outcome, or with the given parts of one. Answers the event to tell; ends it only once. */
export const finishTask = (state: YomState, task: Task, chosen: Partial<TaskOutcome> = {}): TaskEvent | undefined => {
  if (task.status !== 'OPEN') return undefined
  task.outcome = { ...drawOutcome(state, task), ...chosen }
  task.status = 'DONE'
  task.updatedAt = state.clock.nowIso()
  state.changes.push(task.internalTaskId)
  return addEvent(state, task, { ...task.outcome })
}

/** The event that the work began, dated when the task was made. */
export const beginTask = (state: YomState, task: Task): TaskEvent => {
  const { code } = choiceFor(state, task)
  return addEvent(state, task, {
    status: 'PENDING',
    result: code,
    occurredAt: task.createdAt,
    comment: 'On the way',
    futureScheduledAt: null,
  })
}

type EventContent = Pick<WebhookBody, 'status' | 'result' | 'occurredAt' | 'comment' | 'futureScheduledAt'>

const addEvent = (state: YomState, task: Task, content: EventContent): TaskEvent => {
  const eventId = `evt_${state.nextId('event', 20)}`
  const event: TaskEvent = {
    eventId,
    body: {
      dispatchId: task.externalId,
      ...(task.activityId === undefined ? {} : { activityId: task.activityId }),
      providerTaskId: task.internalTaskId,
      eventId,
      ...content,
      contactType: 'OUTBOUND',
      operatorExternalId: task.sellerId,
    },
    sends: [],
    state: 'waiting',
  }
  task.events.push(event)
  return event
}

const choiceFor = (state: YomState, task: Task): ResultChoice => {
  // By our id and not by YOM's, so that a run with the same ids ends alike in whatever order tasks are made.
  const position = state.byExternalId.get(task.externalId)?.indexOf(task) ?? 0
  return state.random.pick(state.switches.results, task.externalId, position, 'result')
}

const drawOutcome = (state: YomState, task: Task): TaskOutcome => {
  const choice = choiceFor(state, task)
  const nowMs = state.clock.nowMs()
  return {
    status: choice.status,
    result: choice.code,
    occurredAt: new Date(nowMs).toISOString(),
    comment: choice.status === 'EFFECTIVE' ? 'Pedido tomado' : 'Sin pedido',
    futureScheduledAt: choice.hasFutureDate ? new Date(nowMs + 3 * DAY_MS).toISOString() : null,
  }
}
