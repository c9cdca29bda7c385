// Delivers to nobody: accepts at once, with a result that the tenant's own result types allow. For trying things out.
// The same delivery always has the same task id, event id and result code.
import { hash } from 'node:crypto'
import type { Outcome } from '../../dispatch/outcome.ts'
import { DAY_MS, MINUTE_MS } from '../../time.ts'
import type { Adapter, AdapterInput, CreateAdapter, DeliverCommand, ResultTypeView } from './adapter.ts'
import { createSettingsReader } from './adapter-settings.ts'

/** Codes change when somebody edits them in Reten's panel: seldom, and a demonstration may wait that long. */
const RESULT_TYPES_LIFE_MS = 5 * MINUTE_MS

/** The adapter `mock`. It knows no settings and no secrets. Throws RCV_ADAPTER_SETTINGS where there are settings. */
export const createMockAdapter: CreateAdapter = (input: AdapterInput): Adapter => {
  const { clock } = input
  createSettingsReader('mock', input).finish()
  let cached: { readonly types: readonly ResultTypeView[]; readonly goodUntilMs: number } | undefined

  const readTypes = async (signal: AbortSignal): Promise<readonly ResultTypeView[]> => {
    if (cached !== undefined && clock.now() < cached.goodUntilMs) return cached.types
    const types = await input.resultTypes(signal)
    cached = { types, goodUntilMs: clock.now() + RESULT_TYPES_LIFE_MS }
    return types
  }

  return {
    provider: 'mock',
    capabilities: { idempotency: 'key', completion: 'reply' },
    preview: () => 'nothing: the mock adapter calls nobody',
    async deliver(command, signal) {
      let types: readonly ResultTypeView[]
      try {
        types = await readTypes(signal)
      } catch (error) {
        const message = `the mock has no result types: ${error instanceof Error ? error.message : String(error)}`
        return { kind: 'retry', code: 'result_types_unavailable', message }
      }
      return complete(command, types, clock.now())
    },
    cancel: async () => ({
      kind: 'too_late',
      code: 'done_at_once',
      message: 'the mock does its work in the moment it takes it',
    }),
    close: () => Promise.resolve(),
  }
}

function complete(command: DeliverCommand, types: readonly ResultTypeView[], nowMs: number): Outcome {
  const digest = hash('sha256', command.dispatchId, 'hex')
  const type = types[Number.parseInt(digest.slice(0, 8), 16) % types.length]
  if (type === undefined) {
    return { kind: 'rejected', code: 'no_result_types', message: 'the tenant has no result type the mock could report' }
  }
  const taskId = `mock-${command.idempotencyKey}`
  return {
    kind: 'accepted',
    providerTaskId: taskId,
    result: {
      eventId: taskId,
      status: 'EFFECTIVE',
      code: type.code,
      occurredAt: new Date(nowMs).toISOString(),
      comment: 'Made by the mock adapter',
      operatorExternalId: command.activity.operatorExternalId,
      futureScheduledAt: type.requiresFutureScheduledAt ? new Date(nowMs + DAY_MS).toISOString() : undefined,
    },
  }
}
