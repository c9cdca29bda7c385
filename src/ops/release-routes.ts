// Releasing what waits for a person.
import type { FastifyInstance } from 'fastify'
import type { BlockedAction } from '../store/release-blocked.ts'
import type { ParkedAction } from '../store/release-parked.ts'
import { AppError } from '../errors.ts'
import { authorOf } from './authorize.ts'
import { REASON_SCHEMA } from './reason.ts'
import { releaseBlockedOne } from './release-blocked.ts'
import { releaseParkedOne } from './release-parked.ts'
import type { ReplayDeps } from './replay.ts'

interface ReleaseBody {
  readonly action: ParkedAction | BlockedAction
  readonly reason: string
  readonly provider_task_id?: string
}

const RELEASE_BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['action', 'reason'],
  properties: {
    action: {
      enum: ['repeat', 'delivered', 'skip', 'retry_now'],
      description:
        'repeat: do it again, the doubt is gone. delivered: the provider has it, take it for delivered. skip: let others of its commerce pass. retry_now: try it at once.',
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
      if (action !== 'delivered') refuseTaskId(providerTaskId)
      const release = { id: request.params.id, reason, author: authorOf(request) }
      const released = isAboutOthers(action)
        ? await releaseBlockedOne(deps, { ...release, action })
        : await releaseParkedOne(deps, { ...release, action, providerTaskId })
      return reply.code(action === 'repeat' || action === 'retry_now' ? 202 : 200).send(released)
    },
  )
}

function isAboutOthers(action: ReleaseBody['action']): action is BlockedAction {
  return action === 'skip' || action === 'retry_now'
}

function refuseTaskId(providerTaskId: string | undefined): void {
  if (providerTaskId === undefined) return
  const message = 'stands only beside the action delivered'
  const details = [{ path: '/provider_task_id', message }]
  throw new AppError('RCV_REQUEST_INVALID', `provider_task_id ${message}`, { details })
}
