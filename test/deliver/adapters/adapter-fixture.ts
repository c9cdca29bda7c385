// What adapters are built from and called with in tests.
import type { Test } from 'tap'
import type { AdapterInput, CancelCommand, DeliverCommand } from '../../../src/deliver/adapters/adapter.ts'
import type { Activity } from '../../../src/dispatch/activity.ts'
import { createHttpClient } from '../../../src/http-client.ts'
import type { HttpClient } from '../../../src/http-client.ts'
import type { Clock } from '../../../src/time.ts'

export const NOW_MS = Date.parse('2026-05-04T12:00:00.000Z')

/** A clock that stands still until it is set. */
export interface TestClock extends Clock {
  nowMs: number
}

export function createTestClock(nowMs = NOW_MS): TestClock {
  return {
    nowMs,
    now() {
      return this.nowMs
    },
  }
}

/** A client whose connections end with the test. */
export function openHttpClient(t: Test): HttpClient {
  const http = createHttpClient()
  t.teardown(() => http.close())
  return http
}

export function buildInput(t: Test, overrides: Partial<AdapterInput> = {}): AdapterInput {
  return {
    connection: 'acme',
    settings: {},
    secrets: {},
    http: overrides.http ?? openHttpClient(t),
    clock: createTestClock(),
    random: () => 0.5,
    resultTypes: () => Promise.resolve([{ code: 'SALE_COMPLETED', requiresFutureScheduledAt: false }]),
    attributes: () => Promise.resolve([]),
    ...overrides,
  }
}

export function buildActivity(overrides: Partial<Activity> = {}): Activity {
  return {
    activityId: '0b6f7f0e-3c1a-4f7e-9f55-6a2f1f6f0a11',
    type: 'TASK',
    channel: 'SALESMAN',
    commerceExternalId: 'C-1042',
    operatorExternalId: 'V-17',
    routeExternalId: 'R-05',
    scheduledAt: '2026-05-04T13:00:00.000Z',
    reason: { code: 'retention', label: 'Retención' },
    attributes: { commerce_info: { segment: 'B' } },
    ...overrides,
  }
}

export function buildCommand(overrides: Partial<DeliverCommand> = {}): DeliverCommand {
  const dispatchId = overrides.dispatchId ?? '6f1d2c3b-4a59-8768-9abc-def012345678'
  return {
    connection: 'acme',
    dispatchId,
    idempotencyKey: dispatchId,
    activity: buildActivity(),
    body: { id: '0b6f7f0e-3c1a-4f7e-9f55-6a2f1f6f0a11', commerce: { externalId: 'C-1042' } },
    ...overrides,
  }
}

export function buildCancelCommand(overrides: Partial<CancelCommand> = {}): CancelCommand {
  const { connection, dispatchId, idempotencyKey, activity } = buildCommand()
  const { activityId } = activity
  return { connection, dispatchId, idempotencyKey, activityId, providerTaskId: 'T-8841', ...overrides }
}

/** A signal that never aborts. */
export const patience = (): AbortSignal => new AbortController().signal
