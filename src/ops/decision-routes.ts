// What an operator decides about one dispatch: that it is not wanted any more.
import type { FastifyInstance } from 'fastify'
import { authorOf } from './authorize.ts'
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

/** Registers `/admin/dispatches/{id}/discard`. */
export function registerDecisionRoutes(app: FastifyInstance, deps: ReplayDeps): void {
  const options = { config: { role: 'operator' }, schema: { body: REASON_BODY } } as const

  app.post<Decision>('/dispatches/:id/discard', options, async (request) =>
    discardOne(deps, { id: request.params.id, reason: request.body.reason, author: authorOf(request) }),
  )
}
