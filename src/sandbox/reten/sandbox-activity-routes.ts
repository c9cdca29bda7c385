// Our own routes on Reten's stand-in, not Reten's: make activities, send them again, look at what happened to each.
import type { FastifyInstance } from 'fastify'
import { sendAnswer, type Answer } from '../answer.ts'
import { cancelActivity, forceDispatch } from './activity-actions.ts'
import { createActivities, type NewActivity } from './create-activities.ts'
import type { ActivityDispatch } from './dispatch-activity.ts'
import { describeActivityInFull } from './inspect.ts'
import { cutPage, queryText, readPageRequest, type Query } from './list-page.ts'
import { channels, payloadShapes, type Activity, type Channel, type PayloadShape } from './records.ts'
import { refuse, retenErrorBody } from './refuse.ts'
import { findActivity, findTenant, type RetenState, type Tenant } from './state.ts'

interface CreateActivitiesBody {
  readonly tenant?: string
  readonly count?: number
  readonly type?: 'TASK' | 'MESSAGE'
  readonly channel?: Channel
  readonly payload_shape?: PayloadShape
  readonly commerce_external_id?: string
  readonly scheduled_at?: string
}

interface ById {
  Params: { id: string }
}

const text = { type: 'string', minLength: 1 } as const

/** Adds the control routes that concern activities. */
export const addSandboxActivityRoutes = (app: FastifyInstance, state: RetenState, attempts: ActivityDispatch): void => {
  app.post<{ Body: CreateActivitiesBody }>(
    '/sandbox/activities',
    {
      schema: {
        body: {
          type: 'object',
          additionalProperties: false,
          properties: {
            tenant: text,
            count: { type: 'integer', minimum: 1, maximum: 100_000 },
            type: { enum: ['TASK', 'MESSAGE'] },
            channel: { enum: channels },
            payload_shape: { enum: payloadShapes },
            commerce_external_id: text,
            scheduled_at: { type: 'string', format: 'iso-8601' },
          },
        },
      },
    },
    (request, reply) => {
      const tenant = findTenant(state, request.body.tenant)
      if (tenant === undefined) return reply.code(404).send(retenErrorBody(404, 'Tenant not found'))
      const input = toNewActivity(tenant, request.body)
      if (input === undefined) return reply.code(404).send(retenErrorBody(404, 'Commerce not found'))
      const activities = createActivities(state, tenant, request.body.count ?? 1, input)
      return reply.code(201).send({ count: activities.length, ids: activities.map(({ id }) => id) })
    },
  )

  app.get<{ Querystring: Query }>('/sandbox/activities', (request, reply) => {
    const page = readPageRequest(request.query, 100)
    if ('statusCode' in page) return reply.code(page.statusCode).send(page.body)
    const only = queryText(request.query, 'tenant')
    const status = queryText(request.query, 'status')
    const tenants = only === undefined ? [...state.tenants.values()] : [findTenant(state, only)]
    const rows = tenants.flatMap((tenant) => (tenant === undefined ? [] : [...tenant.activities.values()]))
    return cutPage(rows, (row) => status === undefined || row.status === status, describeActivityInFull, page)
  })

  app.get<{ Params: { id: string } }>('/sandbox/activities/:id', (request, reply) => {
    const [, activity] = findActivity(state, request.params.id) ?? []
    if (activity === undefined) return reply.code(404).send(retenErrorBody(404, 'Activity not found'))
    return describeActivityInFull(activity)
  })

  app.post<{ Params: { id: string }; Body: { change?: Record<string, unknown> } | undefined }>(
    '/sandbox/activities/:id/resend',
    async (request, reply) => {
      const found = findActivity(state, request.params.id)
      const push = found === undefined ? undefined : await attempts.resend(...found, request.body?.change)
      return push ?? reply.code(404).send(retenErrorBody(404, 'Activity or dispatch config not found'))
    },
  )

  const addAction = (name: string, act: (tenant: Tenant, activity: Activity) => Answer | Promise<Answer>): void => {
    app.post<ById>(`/sandbox/activities/:id/${name}`, async (request, reply) => {
      const found = findActivity(state, request.params.id)
      return sendAnswer(reply, found === undefined ? refuse(404, 'Activity not found') : await act(...found))
    })
  }
  addAction('force-dispatch', (tenant, activity) => forceDispatch(attempts, tenant, activity))
  addAction('cancel', (tenant, activity) => cancelActivity(state, tenant, activity.id))
}

const toNewActivity = (tenant: Tenant, body: CreateActivitiesBody): NewActivity | undefined => {
  const commerce = tenant.commercesByExternalId.get(body.commerce_external_id ?? '')
  if (body.commerce_external_id !== undefined && commerce === undefined) return undefined
  return {
    ...(commerce === undefined ? {} : { commerce }),
    ...(body.type === undefined ? {} : { type: body.type }),
    ...(body.channel === undefined ? {} : { channel: body.channel }),
    ...(body.payload_shape === undefined ? {} : { payloadShape: body.payload_shape }),
    ...(body.scheduled_at === undefined ? {} : { scheduledAt: body.scheduled_at }),
  }
}
