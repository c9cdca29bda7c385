// Our own routes on Reten's stand-in, not Reten's: set up, steer, look inside.
import type { FastifyInstance } from 'fastify'
import { createApiKey, type NewApiKey } from './api-keys.ts'
import { createTenant, type NewTenant } from './create-tenant.ts'
import { setDispatchConfig, type NewDispatchConfig } from './dispatch-configs.ts'
import type { Dispatcher } from './dispatcher.ts'
import { countReten } from './inspect.ts'
import { queryText, type Query } from './list-page.ts'
import { channels } from './records.ts'
import { retenErrorBody } from './refuse.ts'
import { findTenant, type RetenState, type Tenant } from './state.ts'
import { addUser, issueToken, roles, type Role } from './users.ts'

/** What the routes steer. */
export interface SandboxRoutesOptions {
  readonly state: RetenState
  readonly dispatcher: Dispatcher
  readonly resultRequests: () => number
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

  app.post<{ Body: { tenant?: string; role: Role } }>(
    '/sandbox/tokens',
    { schema: { body: { ...objectOf({ tenant: text, role: { enum: roles } }), required: ['role'] } } },
    (request, reply) => {
      const tenant = findTenant(state, request.body.tenant)
      if (tenant === undefined) return reply.code(404).send(retenErrorBody(404, 'Tenant not found'))
      const token = issueToken(state, addUser(state, tenant, request.body.role))
      return reply.code(201).send({ token, tenantId: tenant.id })
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
