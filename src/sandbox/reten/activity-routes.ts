// Reading activities in the core family.
import type { FastifyInstance } from 'fastify'
import { ok, sendAnswer, type Answer } from '../answer.ts'
import { callerOf, requireUser } from './authenticate.ts'
import { describeActivity, describeActivityRow } from './describe-activity.ts'
import { cutPage, queryText, readPageRequest, type Query } from './list-page.ts'
import { activityStatuses, channels, type Activity, type ActivityAttribute, type TargetUser } from './records.ts'
import { refuse } from './refuse.ts'
import type { RetenState, Tenant } from './state.ts'

interface ById {
  Params: { id: string }
}

/** Adds the core list, one activity, its status events, attributes and target users. */
export const addActivityRoutes = (app: FastifyInstance, state: RetenState): void => {
  const onRequest = requireUser(state, 'VIEW_ACTIVITIES')

  app.get<{ Querystring: Query }>('/api/activities', { onRequest }, (request, reply) =>
    sendAnswer(reply, listActivities(callerOf(request).tenant, request.query)),
  )

  const addView = (path: string, view: (activity: Activity) => unknown): void => {
    app.get<ById>(path, { onRequest }, (request, reply) => {
      const activity = callerOf(request).tenant.activities.get(request.params.id)
      return sendAnswer(reply, activity === undefined ? refuse(404, 'Activity not found') : ok(view(activity)))
    })
  }
  addView('/api/activities/:id', describeActivity)
  addView('/api/activities/:id/status-events', (activity) => activity.events)
  addView('/api/activities/:id/attributes', (activity) =>
    activity.attributes.map((attribute) => describeAttribute(activity, attribute)),
  )
  addView('/api/activities/:id/target-users', (activity) => activity.targetUsers.map(describeTarget))
}

/** A target user as its page shows it. */
export const describeTarget = (target: TargetUser): Record<string, unknown> => ({
  id: target.id,
  resolutionStatus: target.resolutionStatus,
  resolutionStrategy: target.resolutionStrategy,
  lockReason: target.lockReason,
  commerceUser:
    target.commerceUser === null
      ? null
      : { firstName: target.commerceUser.firstName, lastName: target.commerceUser.lastName },
})

const describeAttribute = (activity: Activity, attribute: ActivityAttribute): Record<string, unknown> => ({
  id: attribute.id,
  activityId: activity.id,
  attributeKeyId: attribute.attributeKeyId,
  value: attribute.value,
  resolutionStatus: attribute.resolutionStatus,
  resolverType: attribute.resolverType,
  resolvedAt: attribute.resolvedAt,
  errorMessage: attribute.errorMessage,
  createdAt: attribute.createdAt,
  updatedAt: attribute.updatedAt,
})

const listActivities = (tenant: Tenant, query: Query): Answer => {
  const page = readPageRequest(query, 25)
  if ('statusCode' in page) return page
  const allowed = { status: activityStatuses, type: ['TASK', 'MESSAGE'], channel: channels } as const
  for (const [name, values] of Object.entries<readonly string[]>(allowed)) {
    const value = queryText(query, name)
    if (value !== undefined && !values.includes(value)) {
      return refuse(400, `${name} must be one of the following values: ${values.join(', ')}`)
    }
  }
  return ok(cutPage([...tenant.activities.values()].toReversed(), buildFilter(query), describeActivityRow, page))
}

const buildFilter = (query: Query): ((activity: Activity) => boolean) => {
  const wanted = ['status', 'type', 'channel', 'commerce_id'].map((name) => queryText(query, name))
  // What `search` looks at is undocumented: the commerce's name and the reason's label.
  const search = queryText(query, 'search')?.toLowerCase()
  const fromMs = Date.parse(queryText(query, 'scheduled_from') ?? '0000-01-01')
  const toMs = Date.parse(queryText(query, 'scheduled_to') ?? '9999-12-31')
  return (activity) => {
    const values = [activity.status, activity.type, activity.channel, activity.commerce.id]
    const scheduledMs = Date.parse(activity.scheduledAt)
    return (
      values.every((value, index) => wanted[index] === undefined || wanted[index] === value) &&
      (search === undefined || `${activity.commerce.name} ${activity.reason.label}`.toLowerCase().includes(search)) &&
      scheduledMs >= fromMs &&
      scheduledMs <= toMs
    )
  }
}
