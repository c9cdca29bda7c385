import type { Commerce, Operator } from './records.ts'
import type { RetenState, Tenant } from './state.ts'

/** How large a ready-made tenant is. */
export interface NewTenant {
  readonly code?: string
  readonly name?: string
  /** Default 25. */
  readonly commerces?: number
  /** Default 5. */
  readonly operators?: number
}

const resultTypes = [
  { code: 'SALE_COMPLETED', label: 'Venta realizada', requiresFutureScheduledAt: false },
  { code: 'NOT_INTERESTED', label: 'No interesado', requiresFutureScheduledAt: false },
  { code: 'RESCHEDULE', label: 'Reagendar', requiresFutureScheduledAt: true },
  { code: 'NO_CONTACT', label: 'Sin contacto', requiresFutureScheduledAt: false },
] as const

const shops = ['Almacen', 'Botilleria', 'Minimarket', 'Panaderia', 'Kiosco'] as const
const places = ['Sur', 'Norte', 'Central', 'La Esquina', 'El Puente', 'Las Rosas', 'San Juan'] as const
const firstNames = ['Ana', 'Luis', 'Marta', 'Pedro', 'Carla', 'Diego', 'Elena'] as const
const lastNames = ['Rojas', 'Soto', 'Vidal', 'Pinto', 'Reyes', 'Bravo'] as const

/** Makes a tenant with the documented sample result types, shops, sellers and routes; all names are invented. */
export const createTenant = (state: RetenState, input: NewTenant = {}): Tenant => {
  const id = state.nextId('tenant')
  const tenant: Tenant = {
    id,
    code: input.code ?? `tenant-${state.tenants.size + 1}`,
    name: input.name ?? `Distribuidora ${state.tenants.size + 1}`,
    apiKeys: new Map(),
    resultTypes: new Map(resultTypes.map((type) => [type.code, type])),
    commerces: new Map(),
    commercesByExternalId: new Map(),
    operators: new Map(),
    routes: new Map(),
    dispatchConfigs: new Map(),
    attributePolicies: new Map(),
    activities: new Map(),
    ready: new Set(),
    byProviderActivityId: new Map(),
    byIdempotencyKey: new Map(),
    standalone: [],
  }
  state.tenants.set(id, tenant)
  for (let number = 1; number <= (input.commerces ?? 25); number += 1) addCommerce(state, tenant, number)
  for (let number = 1; number <= (input.operators ?? 5); number += 1) addOperator(state, tenant, number)
  return tenant
}

const addCommerce = (state: RetenState, tenant: Tenant, number: number): void => {
  const draw = <T>(list: readonly T[], what: string): T => state.random.pick(list, tenant.code, what, number)
  const now = state.clock.nowIso()
  const commerce: Commerce = {
    id: state.nextId('commerce'),
    externalId: `C-${1000 + number}`,
    name: `${draw(shops, 'shop')} ${draw(places, 'place')}`,
    taxId: `76${String(number).padStart(6, '0')}-${number % 10}`,
    isActive: true,
    isPlaceholder: false,
    metadata: {},
    addresses: [
      {
        id: state.nextId('address'),
        street: `Calle ${number} 100`,
        city: 'Santiago',
        latitude: -33.45,
        longitude: -70.66,
        isPrimary: true,
        isActive: true,
      },
    ],
    users: [
      {
        id: state.nextId('commerce-user'),
        firstName: draw(firstNames, 'first'),
        lastName: draw(lastNames, 'last'),
        isActive: true,
        roles: [{ role: 'OWNER' }],
        contacts: [
          {
            id: state.nextId('contact'),
            type: 'PHONE',
            value: `+5690000${String(number).padStart(4, '0')}`,
            isPrimary: true,
            isActive: true,
          },
        ],
      },
    ],
    createdAt: now,
    updatedAt: now,
  }
  tenant.commerces.set(commerce.id, commerce)
  tenant.commercesByExternalId.set(commerce.externalId, commerce)
}

const addOperator = (state: RetenState, tenant: Tenant, number: number): void => {
  const name = `${state.random.pick(firstNames, tenant.code, 'seller', number)} ${state.random.pick(lastNames, number)}`
  const operator: Operator = {
    id: state.nextId('operator'),
    type: 'SALESMAN',
    name,
    email: `v${number}@${tenant.code}.example`,
    phone: `+5691000${String(number).padStart(4, '0')}`,
    externalId: `V-${String(number).padStart(2, '0')}`,
    isActive: true,
    isPlaceholder: false,
    metadata: {},
  }
  tenant.operators.set(operator.id, operator)
  const route = {
    id: state.nextId('route'),
    externalId: `R-${String(number).padStart(2, '0')}`,
    name: `Ruta ${number}`,
    operators: new Map([[operator.id, 'LEAD' as const]]),
  }
  tenant.routes.set(route.id, route)
}
