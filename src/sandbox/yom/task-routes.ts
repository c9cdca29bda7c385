// The tasks of YOM's stand-in. OURS, not YOM's: no path, body or answer here was published by anybody at YOM. Documented
// are only the token grant, the ids that begin with `internal`, and the envelope of lists.
import type { FastifyInstance } from 'fastify'
import { ok, sendAnswer, type Answer } from '../answer.ts'
import { answerWithFault } from '../answer-with-fault.ts'
import type { Faults } from '../faults.ts'
import { grantToken, requireCredentials } from './authenticate.ts'
import { createTask } from './create-task.ts'
import { describeTask } from './describe-task.ts'
import { listChanges, listTasks, type ListQuery } from './list-tasks.ts'
import { createRateLimit } from './rate-limit.ts'
import type { TaskBody } from './records.ts'
import { refuse, yomErrorBody } from './refuse.ts'
import type { YomState } from './state.ts'
import type { Worker } from './worker.ts'

/** What the routes act on. */
export interface TaskRoutesOptions {
  readonly state: YomState
  readonly faults: Faults
  readonly worker: Worker
  /** Begins with a slash and does not end with one. */
  readonly taskPath: string
  readonly slowMs: number
}

interface GrantBody {
  readonly client_id: string
  readonly client_secret: string
  readonly grant_type: string
}

const text = { type: 'string', minLength: 1 } as const

const grantSchema = {
  type: 'object',
  required: ['client_id', 'client_secret', 'grant_type'],
  properties: { client_id: text, client_secret: text, grant_type: { const: 'client_credentials' } },
} as const

// Tolerant on purpose: what a task consists of at YOM is unknown.
const taskSchema = {
  type: 'object',
  required: ['commerceId'],
  properties: {
    externalId: text,
    activityId: text,
    commerceId: text,
    sellerId: { type: ['string', 'null'] },
  },
} as const

/** Adds the token grant and the tasks. */
export const addTaskRoutes = (app: FastifyInstance, options: TaskRoutesOptions): void => {
  const { state, faults, worker, taskPath } = options
  const onRequest = [requireCredentials(state), createRateLimit(state)]
  const manners = { errorBody: yomErrorBody, slowMs: options.slowMs }

  app.post<{ Body: GrantBody }>('/auth/tokens/grant', { schema: { body: grantSchema } }, (request, reply) =>
    answerWithFault(reply, faults.draw('token', 'grant'), manners, () => grant(state, request.body)),
  )

  app.post<{ Body: TaskBody }>(taskPath, { onRequest, schema: { body: taskSchema } }, (request, reply) => {
    const { body } = request
    const key = headerText(request.headers['idempotency-key'])
    const fault = faults.draw('tasks', body.externalId ?? key ?? '')
    return answerWithFault(reply, fault, manners, async () => {
      const { answer, task } = createTask(state, body, key)
      if (task !== undefined) await worker.take(task)
      return answer
    })
  })

  app.get<{ Querystring: ListQuery }>(taskPath, { onRequest }, (request, reply) => {
    const fault = faults.draw('tasks', `lookup ${request.query.externalId ?? ''}`)
    return answerWithFault(reply, fault, manners, () => listTasks(state, request.query))
  })

  app.get<{ Querystring: ListQuery }>(`${taskPath}/changes`, { onRequest }, (request, reply) =>
    sendAnswer(reply, listChanges(state, request.query)),
  )

  app.get<{ Params: { id: string } }>(`${taskPath}/:id`, { onRequest }, (request, reply) => {
    const task = state.tasks.get(request.params.id)
    return sendAnswer(reply, task === undefined ? refuse(404, 'Task not found') : ok(describeTask(task)))
  })

  app.post<{ Params: { id: string } }>(`${taskPath}/:id/cancel`, { onRequest }, (request, reply) =>
    sendAnswer(reply, cancel(state, request.params.id)),
  )
}

const grant = (state: YomState, body: GrantBody): Answer => {
  const { clientId, clientSecret } = state.credentials
  if (body.client_id !== clientId || body.client_secret !== clientSecret) {
    return refuse(401, 'Client credentials are not valid')
  }
  return ok({ accessToken: grantToken(state) })
}

const cancel = (state: YomState, id: string): Answer => {
  const task = state.tasks.get(id)
  if (!state.switches.canCancel) return refuse(404, 'Tasks cannot be cancelled')
  if (task === undefined) return refuse(404, 'Task not found')
  if (task.status === 'DONE') return refuse(409, 'The task is done', { status: task.status })
  if (task.status === 'OPEN') {
    task.status = 'CANCELLED'
    task.updatedAt = state.clock.nowIso()
    state.changes.push(id)
  }
  return ok(describeTask(task))
}

const headerText = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
