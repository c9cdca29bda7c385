// Activities as Reten may push them, and dispatches as they are stored.
import { computeDispatchId } from '../../src/dispatch/identity.ts'
import type { NewDispatch } from '../../src/store/insert-dispatches.ts'

/** A body in the nested shape; `id` and anything else can be replaced. */
export function activity(id: string, overrides: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    id,
    type: 'TASK',
    channel: 'SALESMAN',
    scheduledAt: '2026-05-04T13:00:00.000Z',
    commerce: { externalId: 'C-1042', name: 'Almacen Sur' },
    operator: { externalId: 'V-17' },
    ...overrides,
  }
}

/** A dispatch as the inbox stores it. */
export function newDispatch(activityId: string, overrides: Partial<NewDispatch> = {}): NewDispatch {
  const connection = overrides.connection ?? 'acme'
  return {
    id: computeDispatchId(connection, activityId),
    connection,
    activityId,
    type: 'TASK',
    channel: 'SALESMAN',
    commerceId: 'C-1042',
    operatorId: undefined,
    scheduledAt: undefined,
    origin: 'pushed',
    isForUs: true,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ id: activityId })),
    ...overrides,
  }
}
