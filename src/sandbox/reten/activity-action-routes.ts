// What changes an activity in the core family, results apart.
import type { FastifyInstance } from 'fastify'
import { ok, sendAnswer } from '../answer.ts'
import { cancelActivity, dispatchByHand, retryActivity } from './activity-actions.ts'
import { describeTarget } from './activity-routes.ts'
import { callerOf, requireUser } from './authenticate.ts'
import type { ActivityDispatch } from './dispatch-activity.ts'
import { refuse } from './refuse.ts'
import { resolveTargetByHand } from './resolve-activity.ts'
import type { RetenState } from './state.ts'

interface ById {
  Params: { id: string }
}

/** Adds dispatch by hand, cancel, and the two ways to resolve what could not be resolved. */
export const addActivityActionRoutes = (app: FastifyInstance, state: RetenState, attempts: ActivityDispatch): void => {
  app.post<ById>(
    '/api/activities/tasks/:id/dispatch',
    { onRequest: requireUser(state, 'DISPATCH_ACTIVITY') },
    async (request, reply) =>
      sendAnswer(reply, await dispatchByHand(attempts, callerOf(request).tenant, request.params.id)),
  )

  // That cancelling exists is documented; its method and path are an assumption.
  app.post<ById>('/api/activities/:id/cancel', { onRequest: requireUser(state, 'CANCEL_ACTIVITY') }, (request, reply) =>
    sendAnswer(reply, cancelActivity(state, callerOf(request).tenant, request.params.id)),
  )

  const onRequest = requireUser(state, 'CREATE_ACTIVITY')

  app.patch<ById>('/api/activities/:id/retry-resolution', { onRequest }, (request, reply) =>
    sendAnswer(reply, retryActivity(state, callerOf(request).tenant, request.params.id)),
  )

  app.patch<{ Params: { id: string; targetUserId: string }; Body: { commerce_user_id?: string } | undefined }>(
    '/api/activities/:id/target-users/:targetUserId/resolve',
    { onRequest },
    (request, reply) => {
      const activity = callerOf(request).tenant.activities.get(request.params.id)
      const target = activity?.targetUsers.find(({ id }) => id === request.params.targetUserId)
      if (activity === undefined || target === undefined) return sendAnswer(reply, refuse(404, 'Target user not found'))
      const isResolved = resolveTargetByHand(activity, target, request.body?.commerce_user_id)
      return sendAnswer(
        reply,
        isResolved ? ok(describeTarget(target)) : refuse(400, 'Target user is locked or unknown'),
      )
    },
  )
}
