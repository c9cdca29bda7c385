import type { SeededRandom } from '../seeded-random.ts'
import type { ActivityAttribute, Commerce } from './records.ts'
import type { RetenState, Tenant } from './state.ts'

/** A value that activities can carry, in the global catalogue. */
export interface AttributeKey {
  readonly id: string
  readonly key: string
  readonly label: string
  readonly description: string
}

/** The two documented keys. */
export const attributeKeys = (random: SeededRandom): AttributeKey[] => [
  {
    id: random.uuid('attribute-key', 'commerce_info'),
    key: 'commerce_info',
    label: 'Información del comercio',
    description: 'Segment and habits of the commerce',
  },
  {
    id: random.uuid('attribute-key', 'promotions'),
    key: 'promotions',
    label: 'Promociones',
    description: 'Promotions the commerce may be offered',
  },
]

/** Asks for a value; how it is found is the tenant's policy, UPFRONT without one (an assumption). */
export const buildAttribute = (
  state: RetenState,
  tenant: Tenant,
  key: AttributeKey,
  given: { readonly value?: unknown; readonly fallback?: unknown } = {},
): ActivityAttribute => {
  const policy = tenant.attributePolicies.get(key.id)
  const now = state.clock.nowIso()
  return {
    id: state.nextId('attribute'),
    attributeKeyId: key.id,
    key: key.key,
    strategy: given.value === undefined ? (policy?.strategy ?? 'UPFRONT') : 'CALLER_PROVIDED',
    fallback: given.fallback,
    value: given.value ?? null,
    resolutionStatus: 'PENDING',
    resolverType: null,
    resolvedAt: null,
    errorMessage: null,
    createdAt: now,
    updatedAt: now,
  }
}

/** What Reten's own services would find. */
export const lookUpValue = (key: string, commerce: Commerce): unknown =>
  key === 'promotions'
    ? [{ code: 'P-10', label: '10% en bebidas' }]
    : { segment: 'B', name: commerce.name, averageOrder: 45_000 }
