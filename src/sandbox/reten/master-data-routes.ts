// Shops, sellers and rounds, as far as activities need them.
import type { FastifyInstance } from 'fastify'
import { created, noContent, ok, sendAnswer, type Answer } from '../answer.ts'
import { callerOf, requireUser } from './authenticate.ts'
import { cutPage, queryText, readPageRequest, type Query } from './list-page.ts'
import type { Commerce, Operator } from './records.ts'
import { refuse } from './refuse.ts'
import type { RetenState, Tenant } from './state.ts'

interface CommerceItem {
  readonly external_id: string
  readonly name?: string
  readonly tax_id?: string
}

interface OperatorItem {
  readonly type: Operator['type']
  readonly external_id: string
  readonly name: string
  readonly email?: string
  readonly phone?: string
}

const text = { type: 'string', minLength: 1 } as const

const itemsOf = (item: object): object => ({
  type: 'object',
  required: ['items'],
  properties: { items: { type: 'array', items: item } },
})

const commerceSchema = {
  type: 'object',
  required: ['external_id'],
  properties: { external_id: text, name: text, tax_id: text },
} as const

const operatorSchema = {
  type: 'object',
  required: ['type', 'external_id', 'name'],
  properties: {
    type: { enum: ['SALESMAN', 'ACTIVATOR', 'CALLCENTER'] },
    external_id: text,
    name: text,
    email: text,
    phone: text,
  },
} as const

/** Adds commerces, operators and the operators of routes. */
export const addMasterDataRoutes = (app: FastifyInstance, state: RetenState): void => {
  const isKnown = requireUser(state)

  app.get<{ Querystring: Query }>('/api/commerces', { onRequest: isKnown }, (request, reply) => {
    const page = readPageRequest(request.query, 25)
    if ('statusCode' in page) return sendAnswer(reply, page)
    const search = queryText(request.query, 'search')?.toLowerCase() ?? ''
    const rows = callerOf(request).tenant.commerces.values()
    const matches = (commerce: Commerce): boolean => commerce.name.toLowerCase().includes(search)
    return sendAnswer(reply, ok(cutPage(rows, matches, describeCommerceRow, page)))
  })

  app.get<{ Params: { id: string } }>('/api/commerces/:id', { onRequest: isKnown }, (request, reply) => {
    const commerce = callerOf(request).tenant.commerces.get(request.params.id)
    return sendAnswer(reply, commerce === undefined ? refuse(404, 'Commerce not found') : ok(commerce))
  })

  app.post<{ Body: { items: readonly CommerceItem[] } }>(
    '/api/commerces/sync',
    { onRequest: requireUser(state, 'SYNC_COMMERCES'), schema: { body: itemsOf(commerceSchema) } },
    (request, reply) => sendAnswer(reply, syncCommerces(state, callerOf(request).tenant, request.body.items)),
  )

  const canManageOperators = requireUser(state, 'MANAGE_OPERATORS')

  app.post<{ Body: OperatorItem }>(
    '/api/operators',
    { onRequest: canManageOperators, schema: { body: operatorSchema } },
    (request, reply) => sendAnswer(reply, createOperator(state, callerOf(request).tenant, request.body)),
  )

  app.post<{ Body: { items: readonly OperatorItem[] } }>(
    '/api/operators/sync',
    { onRequest: canManageOperators, schema: { body: itemsOf(operatorSchema) } },
    (request, reply) => sendAnswer(reply, syncOperators(state, callerOf(request).tenant, request.body.items)),
  )

  addRouteOperators(app, state)
}

const addRouteOperators = (app: FastifyInstance, state: RetenState): void => {
  const onRequest = requireUser(state, 'MANAGE_ROUTES')

  app.post<{ Params: { id: string }; Body: { operatorId: string; role: 'LEAD' | 'MEMBER' } }>(
    '/api/routes/:id/operators',
    {
      onRequest,
      schema: {
        body: {
          type: 'object',
          required: ['operatorId', 'role'],
          properties: { operatorId: text, role: { enum: ['LEAD', 'MEMBER'] } },
        },
      },
    },
    (request, reply) => {
      const { tenant } = callerOf(request)
      const { operatorId, role } = request.body
      const route = tenant.routes.get(request.params.id)
      if (route === undefined) return sendAnswer(reply, refuse(404, 'Route not found'))
      if (!tenant.operators.has(operatorId)) return sendAnswer(reply, refuse(404, 'Operator not found'))
      route.operators.set(operatorId, role)
      return sendAnswer(reply, created({ routeId: route.id, operatorId, role }))
    },
  )

  app.delete<{ Params: { id: string; operatorId: string } }>(
    '/api/routes/:id/operators/:operatorId',
    { onRequest },
    (request, reply) => {
      const route = callerOf(request).tenant.routes.get(request.params.id)
      if (route === undefined) return sendAnswer(reply, refuse(404, 'Route not found'))
      route.operators.delete(request.params.operatorId)
      return sendAnswer(reply, noContent())
    },
  )
}

const describeCommerceRow = ({ addresses: _addresses, users: _users, ...row }: Commerce): Record<string, unknown> => row

const syncCommerces = (state: RetenState, tenant: Tenant, items: readonly CommerceItem[]): Answer => {
  const now = state.clock.nowIso()
  let createdCount = 0
  for (const item of items) {
    const known = tenant.commercesByExternalId.get(item.external_id)
    if (known !== undefined) {
      known.name = item.name ?? known.name
      known.taxId = item.tax_id ?? known.taxId
      known.updatedAt = now
      continue
    }
    const commerce: Commerce = {
      id: state.nextId('commerce'),
      externalId: item.external_id,
      name: item.name ?? item.external_id,
      taxId: item.tax_id ?? null,
      isActive: true,
      isPlaceholder: false,
      metadata: {},
      addresses: [],
      users: [],
      createdAt: now,
      updatedAt: now,
    }
    tenant.commerces.set(commerce.id, commerce)
    tenant.commercesByExternalId.set(commerce.externalId, commerce)
    createdCount += 1
  }
  return created({ created: createdCount, updated: items.length - createdCount, total: items.length })
}

const findOperator = (tenant: Tenant, item: OperatorItem): Operator | undefined =>
  [...tenant.operators.values()].find(({ type, externalId }) => type === item.type && externalId === item.external_id)

const createOperator = (state: RetenState, tenant: Tenant, item: OperatorItem): Answer => {
  const hasEmail = [...tenant.operators.values()].some(({ email }) => email !== null && email === item.email)
  if (hasEmail || findOperator(tenant, item) !== undefined) return refuse(409, 'Operator already exists')
  return created(addOperator(state, tenant, item))
}

const syncOperators = (state: RetenState, tenant: Tenant, items: readonly OperatorItem[]): Answer => {
  let createdCount = 0
  for (const item of items) {
    const known = findOperator(tenant, item)
    if (known === undefined) {
      addOperator(state, tenant, item)
      createdCount += 1
    } else {
      known.name = item.name
      known.email = item.email ?? known.email
      known.phone = item.phone ?? known.phone
    }
  }
  return created({ created: createdCount, updated: items.length - createdCount, total: items.length })
}

const addOperator = (state: RetenState, tenant: Tenant, item: OperatorItem): Operator => {
  const operator: Operator = {
    id: state.nextId('operator'),
    type: item.type,
    name: item.name,
    email: item.email ?? null,
    phone: item.phone ?? null,
    externalId: item.external_id,
    isActive: true,
    isPlaceholder: false,
    metadata: {},
  }
  tenant.operators.set(operator.id, operator)
  return operator
}
