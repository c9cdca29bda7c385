// Releasing what waits for a person.
import type { FastifyInstance } from 'fastify'
import type { ParkedAction } from '../store/release-parked.ts'
import { authorOf } from './authorize.ts'
import { REASON_SCHEMA } from './reason.ts'
import { releaseParkedOne } from './release-parked.ts'
import type { ReplayDeps } from './replay.ts'

interface ReleaseBody {
  readonly action: ParkedAction
  readonly reason: string
  readonly provider_task_id?: string
}

const RELEASE_BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['action', 'reason'],
  properties: {
    action: {
      enum: ['repeat', 'delivered'],
      description: 'repeat: do it again, the doubt is gone. delivered: the provider has it, take it for delivered.',
    },
    reason: REASON_SCHEMA,
    provider_task_id: {
      type: 'string',
      minLength: 1,
      maxLength: 200,
      description: "With delivered: the provider's id of the task; its events are matched by it.",
    },
  },
}

/** Registers `/admin/dispatches/{id}/release`. */
export function registerReleaseRoutes(app: FastifyInstance, deps: ReplayDeps): void {
  app.post<{ Params: { id: string }; Body: ReleaseBody }>(
    '/dispatches/:id/release',
    { config: { role: 'operator' }, schema: { body: RELEASE_BODY } },
    async (request, reply) => {
      const { action, reason, provider_task_id: providerTaskId } = request.body
      const release = { id: request.params.id, action, reason, providerTaskId, author: authorOf(request) }
      const released = await releaseParkedOne(deps, release)
      return reply.code(action === 'repeat' ? 202 : 200).send(released)
    },
  )
}
