// Our own routes on YOM's stand-in, not YOM's: steer and look inside.
import type { FastifyInstance } from 'fastify'
import type { Background } from '../background.ts'
import { countYom, describeTaskInFull } from './inspect.ts'
import type { Task, TaskOutcome } from './records.ts'
import { yomErrorBody } from './refuse.ts'
import type { WebhookTarget, YomState } from './state.ts'
import type { WebhookSender } from './webhook-sender.ts'
import type { Worker } from './worker.ts'

/** What the routes steer. */
export interface SandboxRoutesOptions {
  readonly state: YomState
  readonly worker: Worker
  readonly sender: WebhookSender
  readonly background: Background
  readonly taskPath: string
}

const text = { type: 'string', minLength: 1 } as const

const outcomeSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    status: { enum: ['EFFECTIVE', 'NOT_EFFECTIVE'] },
    result: text,
    occurredAt: { type: 'string', format: 'iso-8601' },
    comment: { type: 'string' },
    futureScheduledAt: { type: ['string', 'null'], format: 'iso-8601' },
  },
} as const

const webhookSchema = {
  type: 'object',
  required: ['url', 'token'],
  additionalProperties: false,
  properties: { url: text, token: text },
} as const

/** Adds YOM's stand-in's own control routes. */
export const addSandboxRoutes = (app: FastifyInstance, options: SandboxRoutesOptions): void => {
  const { state, worker, sender, background } = options

  app.get('/sandbox', () => ({
    about:
      "A stand-in for YOM. Its tasks and webhooks are our assumptions, not YOM's API; /sandbox is ours altogether.",
    taskPath: options.taskPath,
    webhook: state.webhook?.url ?? null,
    now: state.clock.nowIso(),
    seed: state.seed,
  }))

  app.get('/sandbox/counts', () => ({
    ...countYom(state),
    running: background.running(),
    scheduled: background.scheduled(),
  }))

  app.put<{ Body: WebhookTarget }>('/sandbox/webhook', { schema: { body: webhookSchema } }, (request) => {
    state.webhook = request.body
    return { url: request.body.url }
  })

  app.post('/sandbox/webhook/send', (request) => sender.post(request.body))

  app.post('/sandbox/tokens/revoke', () => {
    state.tokenGeneration += 1
    return { generation: state.tokenGeneration }
  })

  app.get<{ Querystring: { externalId?: string; page?: string; limit?: string } }>('/sandbox/tasks', (request) => {
    const { externalId, page = '1', limit = '100' } = request.query
    const rows = externalId === undefined ? [...state.tasks.values()] : (state.byExternalId.get(externalId) ?? [])
    const first = (Number(page) - 1) * Number(limit)
    return { data: rows.slice(first, first + Number(limit)).map(describeTaskInFull), total: rows.length }
  })

  // One task by YOM's id, or the first one by ours.
  const taskOf = (id: string): Task | undefined => state.tasks.get(id) ?? state.byExternalId.get(id)?.[0]
  const unknownTask = yomErrorBody(404, 'Task not found')

  app.get<{ Params: { id: string } }>('/sandbox/tasks/:id', (request, reply) => {
    const task = taskOf(request.params.id)
    return task === undefined ? reply.code(404).send(unknownTask) : describeTaskInFull(task)
  })

  app.post<{ Params: { id: string }; Body: Partial<TaskOutcome> | undefined }>(
    '/sandbox/tasks/:id/finish',
    { preValidation: useEmptyBody, schema: { body: outcomeSchema } },
    (request, reply) => {
      const task = taskOf(request.params.id)
      if (task === undefined) return reply.code(404).send(unknownTask)
      if (worker.finish(task, request.body)) return describeTaskInFull(task)
      return reply.code(409).send(yomErrorBody(409, `The task is ${task.status}`))
    },
  )

  app.post<{ Params: { id: string } }>('/sandbox/tasks/:id/resend', (request, reply) => {
    const task = taskOf(request.params.id)
    const event = task?.events.at(-1)
    if (task === undefined || event === undefined) return reply.code(404).send(unknownTask)
    sender.send(event)
    return { eventId: event.eventId }
  })
}

// A schema refuses an absent body, and here every field may be left out.
const useEmptyBody = async (request: { body?: unknown }): Promise<void> => {
  request.body ??= {}
}
