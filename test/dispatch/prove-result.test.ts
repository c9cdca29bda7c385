import t from 'tap'
import { proveResult } from '../../src/dispatch/prove-result.ts'

const ours = { occurredAt: '2026-05-04T15:20:00.000Z', status: 'EFFECTIVE' } as const

void t.test('proveResult', async (t) => {
  await t.test('proves a result by its instant and its status, however both are spelled', async (t) => {
    t.equal(proveResult({ occurredAt: '2026-05-04T15:20:00.000Z', resultStatus: 'EFFECTIVE' }, ours), 'proven')
    t.equal(proveResult({ occurredAt: '2026-05-04T12:20:00-03:00', resultStatus: 'effective' }, ours), 'proven')
  })

  await t.test('does not take the instant alone for a proof', async (t) => {
    t.equal(proveResult({ occurredAt: ours.occurredAt }, ours), 'same_time')
    t.equal(proveResult({ occurredAt: ours.occurredAt, resultStatus: null }, ours), 'same_time')
  })

  await t.test('sees another result by either', async (t) => {
    t.equal(proveResult({ occurredAt: '2026-05-04T15:20:00.001Z', resultStatus: 'EFFECTIVE' }, ours), 'different')
    t.equal(proveResult({ occurredAt: ours.occurredAt, resultStatus: 'NOT_EFFECTIVE' }, ours), 'different')
    t.equal(proveResult({ occurredAt: ours.occurredAt, resultStatus: 'PENDING' }, ours), 'different')
  })

  await t.test('tells a row without a result from one that does not say', async (t) => {
    t.equal(proveResult({ occurredAt: null, resultStatus: null }, ours), 'absent')
    t.equal(proveResult({ occurredAt: null }, ours), 'absent')
    t.equal(proveResult({}, ours), 'unknown')
    t.equal(proveResult({ occurredAt: 'ayer', resultStatus: 'EFFECTIVE' }, ours), 'unknown')
    t.equal(proveResult({ occurredAt: null, resultStatus: 'EFFECTIVE' }, ours), 'unknown')
  })
})
