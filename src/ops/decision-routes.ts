// What an operator decides about one dispatch: that it is not wanted any more.
import type { FastifyInstance } from 'fastify'
import { authorOf } from './authorize.ts'
import { cancelOneDispatch } from './cancel.ts'
import { discardOne } from './discard.ts'
import { REASON_SCHEMA } from './reason.ts'
import type { ReplayDeps } from './replay.ts'

const REASON_BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: { reason: REASON_SCHEMA },
}

interface Decision {
  readonly Params: { readonly id: string }
  readonly Body: { readonly reason: string }
}

/** Registers `/admin/dispatches/{id}/cancel` and `/discard`. */
export function registerDecisionRoutes(app: FastifyInstance, deps: ReplayDeps): void {
  const options = { config: { role: 'operator' }, schema: { body: REASON_BODY } } as const

  app.post<Decision>('/dispatches/:id/cancel', options, async (request, reply) => {
    const { reason } = request.body
    const cancel = { id: request.params.id, source: 'operator', reason, author: authorOf(request) } as const
    const cancelled = await cancelOneDispatch(deps, cancel)
    // Accepted: the provider, or the worker that has it, has a word to say yet.
    return reply.code(cancelled.cancellation === 'requested' ? 202 : 200).send(cancelled)
  })

  app.post<Decision>('/dispatches/:id/discard', options, async (request) =>
    discardOne(deps, { id: request.params.id, reason: request.body.reason, author: authorOf(request) }),
  )
}
