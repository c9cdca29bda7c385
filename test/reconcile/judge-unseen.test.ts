import t from 'tap'
import { graceMs } from '../../src/reconcile/grace.ts'
import { judgeUnseen } from '../../src/reconcile/judge-unseen.ts'
import type { RetenTaskRow } from '../../src/schema-types.ts'

const NOW = Date.parse('2026-05-04T12:00:00.000Z')
const rules = {
  channels: ['SALESMAN'],
  nowMs: NOW,
  fromMs: Date.parse('2026-05-04T00:00:00.000Z'),
  graceMs: 180_000,
  dispatchId: '6f1d2c3b-4a59-8768-9abc-def012345678',
}

/** What becomes of a row that was created ten minutes ago. */
function judge(row: Omit<RetenTaskRow, 'id'>, change: Partial<typeof rules> = {}): string {
  const createdAt = '2026-05-04T11:50:00.000Z'
  const judged = judgeUnseen({ id: 'a-1', status: 'PENDING', createdAt, ...row }, { ...rules, ...change })
  return judged.kind === 'shown' ? judged.finding : judged.kind
}

void t.test('judgeUnseen', async (t) => {
  await t.test('takes what was never dispatched, and what Reten gave up dispatching', async (t) => {
    t.equal(judge({}), 'taken')
    t.equal(judge({ status: 'READY' }), 'taken')
    t.equal(judge({ status: 'FAILED' }), 'taken')
    t.equal(judge({ canForceRetryDispatch: true }), 'taken')
    t.equal(judge({ channel: 'SALESMAN' }), 'taken')
    t.equal(judge({ channel: null }), 'taken')
  })

  await t.test('waits as long as a push may be on its way, which it never is where Reten pushes nothing', async (t) => {
    t.equal(judge({ createdAt: '2026-05-04T11:57:00.001Z' }), 'waits')
    t.equal(judge({ createdAt: '2026-05-04T11:57:00.000Z' }), 'taken')
    t.equal(judge({ createdAt: '2026-05-04T12:05:00.000Z' }), 'waits', 'a clock ahead of ours')
    t.equal(judge({ createdAt: '2026-05-04T11:59:59.000Z' }, { graceMs: 0 }), 'taken')
  })

  await t.test('leaves alone what is not ours to do', async (t) => {
    t.equal(judge({ channel: 'EMAIL' }), 'ignored')
    t.equal(judge({ status: 'CANCELLED' }), 'ignored')
    t.equal(judge({ status: 'COMPLETED', occurredAt: '2026-05-04T11:55:00.000Z' }), 'ignored')
    t.equal(judge({ status: 'UNRESOLVED' }), 'ignored')
    t.equal(judge({ lifecycleStatus: 'UNRESOLVED' }), 'ignored')
  })

  await t.test('takes nothing from before reconcile_from, and shows what of it is open', async (t) => {
    t.equal(judge({ createdAt: '2026-05-03T23:59:59.999Z' }), 'before_reconcile_from')
    t.equal(judge({ createdAt: '2026-05-03T23:59:59.999Z', status: 'COMPLETED' }), 'ignored')
  })

  await t.test('takes nothing that another provider may have', async (t) => {
    t.equal(judge({ status: 'IN_PROGRESS' }), 'dispatched_elsewhere')
    t.equal(judge({ status: 'DISPATCHED', providerActivityId: 'of-somebody-else' }), 'dispatched_elsewhere')
    t.equal(judge({ status: 'IN_PROGRESS', providerActivityId: rules.dispatchId }), 'taken', 'it was us')
    t.equal(judge({ occurredAt: '2026-05-04T11:55:00.000Z' }), 'has_a_result')
  })

  await t.test('shows what ended without a result: its dispatch may have been given up', async (t) => {
    t.equal(judge({ status: 'COMPLETED', occurredAt: null }), 'ended_without_result')
    t.equal(judge({ status: 'CANCELLED', canForceRetryDispatch: true }), 'ended_without_result')
  })

  await t.test('takes nothing that it does not understand', async (t) => {
    t.equal(judge({ status: 'ARCHIVED' }), 'unknown_status')
    t.equal(judge({ createdAt: null }), 'without_creation_time')
    t.equal(judge({ createdAt: 'ayer' }), 'without_creation_time')
  })
})

void t.test('graceMs', async (t) => {
  await t.test('grows with what waits, as Reten takes a hundred every half minute, up to half an hour', async (t) => {
    t.same([0, 1, 100, 101, 1_000, 100_000].map(graceMs), [180_000, 210_000, 210_000, 240_000, 480_000, 1_800_000])
  })
})
