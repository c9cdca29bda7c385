// What every line of the benchmark is sent: the same bytes but for the id.

/** Where the id stands; 36 characters, so that each request's own id can be written over it in place. */
export const ID_PLACE = '00000000-0000-4000-8000-000000000000'

/** An activity as Reten may push it, about 700 bytes. */
export const ACTIVITY = JSON.stringify({
  id: ID_PLACE,
  type: 'TASK',
  channel: 'SALESMAN',
  reason: { code: 'retention', label: 'Retencion' },
  userStatus: { code: 'at_risk', label: 'En Riesgo' },
  score: 72,
  scheduledAt: '2026-05-04T13:00:00.000Z',
  suggestedExecutionTime: null,
  commerce: {
    id: '5d0c1111-0000-4000-8000-000000000001',
    externalId: 'C-1042',
    name: 'Almacen Sur',
    taxId: '76000000-0',
    addresses: [{ street: 'Av. Siempre Viva 742', city: 'Santiago', isPrimary: true }],
  },
  operator: { id: '91aa1111-0000-4000-8000-000000000001', externalId: 'V-17', type: 'SALESMAN', name: 'Ana Rojas' },
  route: { id: 'c3b21111-0000-4000-8000-000000000001', externalId: 'R-05' },
  attributes: [{ key: 'commerce_info', value: { segment: 'B' } }],
})
