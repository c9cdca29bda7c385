import type { FastifyInstance } from 'fastify'
import { created, noContent, ok, sendAnswer, type Answer } from '../answer.ts'
import { callerOf, requireUser } from './authenticate.ts'
import type { DispatchProvider } from './dispatch-providers.ts'
import { channels, type Channel, type DispatchConfig } from './records.ts'
import { refuse } from './refuse.ts'
import type { RetenState, Tenant } from './state.ts'

/** Both documented spellings; one page requires all of it, the other half. */
interface ConfigBody {
  readonly dispatch_provider_id?: string
  readonly dispatchProviderId?: string
  readonly channel: Channel
  readonly base_url?: string
  readonly baseUrl?: string
  readonly credentials?: Readonly<Record<string, string>>
  readonly settings?: Readonly<Record<string, unknown>>
  readonly is_active?: boolean
  readonly isActive?: boolean
}

const text = { type: 'string', minLength: 1 } as const
const uuid = { type: 'string', format: 'uuid' } as const

const properties = {
  dispatch_provider_id: uuid,
  dispatchProviderId: uuid,
  channel: { enum: channels },
  base_url: text,
  baseUrl: text,
  credentials: { type: 'object', additionalProperties: { type: 'string' } },
  settings: { type: 'object' },
  is_active: { type: 'boolean' },
  isActive: { type: 'boolean' },
} as const

const createSchema = { type: 'object', required: ['channel'], properties } as const
const updateSchema = { type: 'object', properties } as const

/** Adds dispatch configurations and providers. How a configuration is changed or deleted is an assumption. */
export const addDispatchConfigRoutes = (app: FastifyInstance, state: RetenState): void => {
  const canView = requireUser(state, 'VIEW_ACTIVITIES')
  const canManage = requireUser(state, 'MANAGE_ACTIVITY_CONFIG')

  app.get('/api/dispatch-configs', { onRequest: canView }, (request, reply) => {
    const configs = [...callerOf(request).tenant.dispatchConfigs.values()]
    return sendAnswer(reply, ok(configs.map((config) => describeConfig(state, config))))
  })

  app.post<{ Body: ConfigBody }>(
    '/api/dispatch-configs',
    { onRequest: canManage, schema: { body: createSchema } },
    (request, reply) => sendAnswer(reply, createConfig(state, callerOf(request).tenant, request.body)),
  )

  app.patch<{ Params: { id: string }; Body: Partial<ConfigBody> }>(
    '/api/dispatch-configs/:id',
    { onRequest: canManage, schema: { body: updateSchema } },
    (request, reply) => {
      const config = callerOf(request).tenant.dispatchConfigs.get(request.params.id)
      if (config === undefined) return sendAnswer(reply, refuse(404, 'Dispatch config not found'))
      updateConfig(config, request.body)
      return sendAnswer(reply, ok(describeConfig(state, config)))
    },
  )

  app.delete<{ Params: { id: string } }>('/api/dispatch-configs/:id', { onRequest: canManage }, (request, reply) => {
    const isDeleted = callerOf(request).tenant.dispatchConfigs.delete(request.params.id)
    return sendAnswer(reply, isDeleted ? noContent() : refuse(404, 'Dispatch config not found'))
  })

  app.get('/api/dispatch-providers', { onRequest: canView }, (_request, reply) =>
    sendAnswer(reply, ok([...state.providers.values()].map(describeProvider))),
  )

  app.get<{ Params: { id: string } }>(
    '/api/dispatch-providers/:id/channel-definitions',
    { onRequest: canView },
    (request, reply) => {
      const provider = state.providers.get(request.params.id)
      const answer =
        provider === undefined ? refuse(404, 'Dispatch provider not found') : ok(provider.channelDefinitions)
      return sendAnswer(reply, answer)
    },
  )
}

const createConfig = (state: RetenState, tenant: Tenant, body: ConfigBody): Answer => {
  const dispatchProviderId = body.dispatch_provider_id ?? body.dispatchProviderId
  if (dispatchProviderId === undefined) return refuse(400, 'dispatch_provider_id is required')
  const provider = state.providers.get(dispatchProviderId)
  if (provider === undefined) return refuse(404, 'Dispatch provider not found')
  const baseUrl = body.base_url ?? body.baseUrl ?? ''
  if (provider.code !== 'MOCK' && baseUrl === '') return refuse(400, 'base_url is required')
  for (const config of tenant.dispatchConfigs.values()) {
    // One per provider and channel: the unique constraint answers 409.
    if (config.dispatchProviderId === dispatchProviderId && config.channel === body.channel) {
      return refuse(409, `A dispatch config for ${provider.code} and ${body.channel} exists`)
    }
  }
  const config: DispatchConfig = {
    id: state.nextId('dispatch-config'),
    dispatchProviderId,
    channel: body.channel,
    baseUrl,
    credentials: body.credentials ?? {},
    settings: body.settings ?? {},
    isActive: body.is_active ?? body.isActive ?? true,
  }
  tenant.dispatchConfigs.set(config.id, config)
  return created(describeConfig(state, config))
}

const updateConfig = (config: DispatchConfig, body: Partial<ConfigBody>): void => {
  config.baseUrl = body.base_url ?? body.baseUrl ?? config.baseUrl
  config.credentials = body.credentials ?? config.credentials
  config.settings = body.settings ?? config.settings
  config.isActive = body.is_active ?? body.isActive ?? config.isActive
}

// Without the credentials: those never leave Reten but for dispatching.
const describeConfig = (state: RetenState, config: DispatchConfig): Record<string, unknown> => {
  const provider = state.providers.get(config.dispatchProviderId)
  return {
    id: config.id,
    dispatchProviderId: config.dispatchProviderId,
    channel: config.channel,
    baseUrl: config.baseUrl,
    settings: config.settings,
    isActive: config.isActive,
    dispatchProvider: { code: provider?.code ?? null, name: provider?.name ?? null },
  }
}

const describeProvider = (provider: DispatchProvider): Record<string, unknown> => ({
  ...provider,
  channelDefinitions: provider.channelDefinitions.map(({ channel, credentialSchema, settingsSchema }) => ({
    channel,
    credentialSchema,
    settingsSchema,
  })),
})
