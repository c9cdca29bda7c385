import t from 'tap'
import type { ResultTypeView } from '../../../src/deliver/adapters/adapter.ts'
import { createMockAdapter } from '../../../src/deliver/adapters/mock.ts'
import { NOW_MS, buildCancelCommand, buildCommand, buildInput, createTestClock, patience } from './adapter-fixture.ts'

const TYPES: readonly ResultTypeView[] = [
  { code: 'SALE_COMPLETED', requiresFutureScheduledAt: false },
  { code: 'RESCHEDULE', requiresFutureScheduledAt: true },
]

const resultOf = async (adapter: ReturnType<typeof createMockAdapter>, dispatchId: string) => {
  const outcome = await adapter.deliver(buildCommand({ dispatchId }), patience())
  return outcome.kind === 'accepted' ? outcome.result : undefined
}

t.test('createMockAdapter', async (t) => {
  t.test("accepts at once with a result of the tenant's own codes", async (t) => {
    const adapter = createMockAdapter(buildInput(t))

    t.match(await adapter.deliver(buildCommand(), patience()), {
      kind: 'accepted',
      providerTaskId: `mock-${buildCommand().dispatchId}`,
      result: {
        status: 'EFFECTIVE',
        code: 'SALE_COMPLETED',
        occurredAt: '2026-05-04T12:00:00.000Z',
        operatorExternalId: 'V-17',
        futureScheduledAt: undefined,
      },
    })
  })

  t.test('has the same event, task and code for a repeat, and not the same code for all dispatches', async (t) => {
    const adapter = createMockAdapter(buildInput(t, { resultTypes: () => Promise.resolve(TYPES) }))
    const ids = Array.from({ length: 40 }, (_, index) => `dispatch-${index}`)

    const first = await Promise.all(ids.map((id) => resultOf(adapter, id)))
    const second = await Promise.all(ids.map((id) => resultOf(adapter, id)))

    t.same(first, second)
    t.same(new Set(first.map((result) => result?.code)), new Set(['SALE_COMPLETED', 'RESCHEDULE']))
    for (const result of first) {
      const isDated = result?.code === 'RESCHEDULE'
      t.equal(
        result?.futureScheduledAt,
        isDated ? '2026-05-05T12:00:00.000Z' : undefined,
        'a day ahead where one is needed',
      )
    }
  })

  t.test('has another event for another revision', async (t) => {
    const adapter = createMockAdapter(buildInput(t))

    const outcome = await adapter.deliver(buildCommand({ idempotencyKey: 'd-1-r1', dispatchId: 'd-1' }), patience())

    t.match(outcome, { result: { eventId: 'mock-d-1-r1' } })
  })

  t.test('asks for the result types once in five minutes', async (t) => {
    let asked = 0
    const clock = createTestClock()
    const resultTypes = () => {
      asked += 1
      return Promise.resolve(TYPES)
    }
    const adapter = createMockAdapter(buildInput(t, { clock, resultTypes }))

    await resultOf(adapter, 'a')
    clock.nowMs = NOW_MS + 299_000
    await resultOf(adapter, 'b')
    t.equal(asked, 1)

    clock.nowMs = NOW_MS + 300_000
    await resultOf(adapter, 'c')
    t.equal(asked, 2)
  })

  t.test('is retry while the result types cannot be read', async (t) => {
    const adapter = createMockAdapter(buildInput(t, { resultTypes: () => Promise.reject(new Error('Reten is away')) }))

    t.match(await adapter.deliver(buildCommand(), patience()), {
      kind: 'retry',
      code: 'result_types_unavailable',
      message: /Reten is away/,
    })
  })

  t.test('rejects where the tenant has no result types', async (t) => {
    const adapter = createMockAdapter(buildInput(t, { resultTypes: () => Promise.resolve([]) }))

    t.match(await adapter.deliver(buildCommand(), patience()), { kind: 'rejected', code: 'no_result_types' })
  })

  t.test('declares that results come with the reply and that repeats are harmless', async (t) => {
    const adapter = createMockAdapter(buildInput(t))
    t.teardown(() => adapter.close())

    t.same(adapter.capabilities, { idempotency: 'key', completion: 'reply' })
    t.match(adapter.preview?.(buildCommand()), /calls nobody/)
  })

  t.test('says of a cancellation that the work is done', async (t) => {
    const adapter = createMockAdapter(buildInput(t))

    t.match(await adapter.cancel?.(buildCancelCommand(), patience()), { kind: 'too_late', code: 'done_at_once' })
  })

  t.test('knows no settings', async (t) => {
    t.throws(() => createMockAdapter(buildInput(t, { settings: { url: 'x' } })), {
      code: 'RCV_ADAPTER_SETTINGS',
      details: [{ path: 'url', message: 'is not known' }],
    })
  })
})
