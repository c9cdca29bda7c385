import t from 'tap'
import { decideCancel } from '../../src/dispatch/decide-cancel.ts'
import { CANCEL_OUTCOME_KINDS } from '../../src/dispatch/outcome.ts'
import type { CancelOutcome } from '../../src/dispatch/outcome.ts'

const facts = { attempts: 0, retryDelaysSeconds: [10, 20], random: () => 0.5 }
const said = { code: 'http_418', message: 'no' }

const TABLE: readonly (readonly [outcome: CancelOutcome, decision: object])[] = [
  [{ kind: 'canceled' }, { kind: 'ended', cancellation: 'canceled' }],
  [
    { kind: 'too_late', ...said },
    { kind: 'ended', cancellation: 'too_late' },
  ],
  [
    { kind: 'unsupported', ...said },
    { kind: 'ended', cancellation: 'unsupported' },
  ],
  [
    { kind: 'rejected', ...said },
    { kind: 'ended', cancellation: 'refused' },
  ],
  [
    { kind: 'retry', ...said },
    { kind: 'retry', delayMs: 10_000, isCharged: true },
  ],
  [
    { kind: 'ambiguous', ...said },
    { kind: 'retry', delayMs: 10_000, isCharged: true },
  ],
  [
    { kind: 'throttled', ...said, retryAfterMs: 15_000 },
    { kind: 'retry', isCharged: false },
  ],
  [
    { kind: 'unauthorized', ...said },
    { kind: 'pause_connection', reason: 'no' },
  ],
  [
    { kind: 'unauthorized', ...said, exchange: { status: 403 } },
    { kind: 'ended', cancellation: 'refused' },
  ],
]

t.test('decideCancel', async (t) => {
  for (const [outcome, decision] of TABLE) {
    t.test(`answers ${outcome.kind} with ${JSON.stringify(decision)}`, async (t) => {
      t.match(decideCancel(outcome, facts), decision)
    })
  }

  t.test('gives up when the tries are used up', async (t) => {
    for (const kind of ['retry', 'ambiguous'] as const) {
      t.match(decideCancel({ kind, ...said }, { ...facts, attempts: 1 }), { kind: 'retry', delayMs: 20_000 })
      t.same(decideCancel({ kind, ...said }, { ...facts, attempts: 2 }), { kind: 'ended', cancellation: 'gave_up' })
    }
  })

  t.test("honours the provider's wish for a later time", async (t) => {
    t.match(decideCancel({ kind: 'retry', ...said, retryAfterMs: 20_000 }, facts), { delayMs: 20_000 })
  })

  t.test('knows every outcome', async (t) => {
    t.same(new Set(TABLE.map(([{ kind }]) => kind)), new Set(CANCEL_OUTCOME_KINDS))
  })
})
