// Our own routes on Reten's stand-in, not Reten's: set up, steer, look inside.
import type { FastifyInstance } from 'fastify'
import { createApiKey, type NewApiKey } from './api-keys.ts'
import { createActivities, type NewActivity } from './create-activities.ts'
import { createTenant, type NewTenant } from './create-tenant.ts'
import { setDispatchConfig, type NewDispatchConfig } from './dispatch-configs.ts'
import type { Dispatcher } from './dispatcher.ts'
import { countReten, describeActivityInFull } from './inspect.ts'
import { cutPage, queryText, readPageRequest, type Query } from './list-page.ts'
import { channels, payloadShapes, type Activity, type Channel, type PayloadShape } from './records.ts'
import { retenErrorBody } from './refuse.ts'
import { findTenant, type RetenState, type Tenant } from './state.ts'

/** What the routes steer. */
export interface SandboxRoutesOptions {
  readonly state: RetenState
  readonly dispatcher: Dispatcher
  readonly resultRequests: () => number
}

interface CreateActivitiesBody {
  readonly tenant?: string
  readonly count?: number
  readonly type?: 'TASK' | 'MESSAGE'
  readonly channel?: Channel
  readonly payload_shape?: PayloadShape
  readonly commerce_external_id?: string
  readonly scheduled_at?: string
}

const text = { type: 'string', minLength: 1 } as const
const count = { type: 'integer', minimum: 0 } as const

/** Adds Reten's stand-in's own control routes. */
export const addSandboxRoutes = (app: FastifyInstance, options: SandboxRoutesOptions): void => {
  const { state, dispatcher } = options

  app.get('/sandbox', () => ({
    about: "A stand-in for Reten. Everything under /sandbox is the stand-in's own and unknown to Reten.",
    tenants: [...state.tenants.values()].map(describeTenant),
    now: state.clock.nowIso(),
    seed: state.seed,
  }))

  app.get<{ Querystring: Query }>('/sandbox/counts', (request) =>
    countReten(state, options.resultRequests(), findTenant(state, queryText(request.query, 'tenant') ?? '')),
  )

  app.post<{ Body: NewTenant }>(
    '/sandbox/tenants',
    { schema: { body: objectOf({ code: text, name: text, commerces: count, operators: count }) } },
    (request, reply) => {
      const tenant = createTenant(state, request.body)
      const { plaintextKey } = createApiKey(state, tenant)
      return reply.code(201).send({ ...describeTenant(tenant), apiKey: plaintextKey })
    },
  )

  app.post<{ Body: NewApiKey & { tenant?: string } }>(
    '/sandbox/api-keys',
    {
      schema: {
        body: objectOf({
          tenant: text,
          name: text,
          permissions: { type: 'array', items: text },
          expiresAt: { type: ['string', 'null'], format: 'iso-8601' },
        }),
      },
    },
    (request, reply) => {
      const tenant = findTenant(state, request.body.tenant)
      if (tenant === undefined) return reply.code(404).send(retenErrorBody(404, 'Tenant not found'))
      const { apiKey, plaintextKey } = createApiKey(state, tenant, request.body)
      return reply.code(201).send({ id: apiKey.id, keyPrefix: apiKey.keyPrefix, plaintextKey })
    },
  )

  app.post<{ Body: NewDispatchConfig & { tenant?: string } }>(
    '/sandbox/dispatch-configs',
    {
      schema: {
        body: {
          ...objectOf({ tenant: text, baseUrl: text, apiKey: text, channel: { enum: channels } }),
          required: ['baseUrl', 'apiKey'],
        },
      },
    },
    (request, reply) => {
      const tenant = findTenant(state, request.body.tenant)
      if (tenant === undefined) return reply.code(404).send(retenErrorBody(404, 'Tenant not found'))
      const configs = setDispatchConfig(state, tenant, request.body)
      return reply.code(201).send(configs.map(({ id, channel, baseUrl }) => ({ id, channel, baseUrl })))
    },
  )

  app.post<{ Body: { all?: boolean } | undefined }>('/sandbox/dispatch', (request) =>
    request.body?.all === true ? dispatcher.dispatchAll() : dispatcher.dispatchOnce(),
  )

  app.post<{ Body: { on: boolean } }>(
    '/sandbox/dispatching',
    { schema: { body: { ...objectOf({ on: { type: 'boolean' } }), required: ['on'] } } },
    (request) => {
      if (request.body.on) dispatcher.start()
      else dispatcher.stop()
      return { on: request.body.on }
    },
  )

  addActivityRoutes(app, options)
}

const addActivityRoutes = (app: FastifyInstance, { state, dispatcher }: SandboxRoutesOptions): void => {
  app.post<{ Body: CreateActivitiesBody }>(
    '/sandbox/activities',
    {
      schema: {
        body: objectOf({
          tenant: text,
          count: { type: 'integer', minimum: 1, maximum: 100_000 },
          type: { enum: ['TASK', 'MESSAGE'] },
          channel: { enum: channels },
          payload_shape: { enum: payloadShapes },
          commerce_external_id: text,
          scheduled_at: { type: 'string', format: 'iso-8601' },
        }),
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
      const push = found === undefined ? undefined : await dispatcher.resend(...found, request.body?.change)
      return push ?? reply.code(404).send(retenErrorBody(404, 'Activity or dispatch config not found'))
    },
  )
}

/** The activity and its tenant, whichever that is. */
export const findActivity = (state: RetenState, id: string): [Tenant, Activity] | undefined => {
  for (const tenant of state.tenants.values()) {
    const activity = tenant.activities.get(id)
    if (activity !== undefined) return [tenant, activity]
  }
  return undefined
}

const objectOf = (properties: object): object => ({ type: 'object', additionalProperties: false, properties })

const describeTenant = (tenant: Tenant): Record<string, unknown> => ({
  id: tenant.id,
  code: tenant.code,
  name: tenant.name,
  activities: tenant.activities.size,
  ready: tenant.ready.size,
  resultTypes: [...tenant.resultTypes.keys()],
  commerces: [...tenant.commercesByExternalId.keys()],
  operators: [...tenant.operators.values()].map(({ externalId }) => externalId),
  dispatchConfigs: [...tenant.dispatchConfigs.values()].map(({ channel, baseUrl }) => ({ channel, baseUrl })),
})

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
