import t from 'tap'
import { readTaskStage } from '../../src/reten/task-stage.ts'

void t.test('readTaskStage', async (t) => {
  await t.test('reads both of Reten’s vocabularies, and either spelling of cancelled', async (t) => {
    const stages = Object.fromEntries(
      [
        ...['PENDING', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED'],
        ...['READY', 'UNRESOLVED', 'DISPATCHED', 'CANCELED', 'FAILED', 'cancelled'],
      ].map((status) => [status, readTaskStage({ id: 'a-1', status })]),
    )

    t.same(stages, {
      PENDING: 'waiting',
      IN_PROGRESS: 'dispatched',
      COMPLETED: 'completed',
      CANCELLED: 'canceled',
      READY: 'waiting',
      UNRESOLVED: 'unresolved',
      DISPATCHED: 'dispatched',
      CANCELED: 'canceled',
      FAILED: 'failed',
      cancelled: 'canceled',
    })
  })

  await t.test('takes no word it does not know for one it knows', async (t) => {
    t.equal(readTaskStage({ id: 'a-1', status: 'ARCHIVED' }), 'unknown')
    t.equal(readTaskStage({ id: 'a-1', status: 'toString' }), 'unknown')
    t.equal(readTaskStage({ id: 'a-1', status: null }), 'unknown')
    t.equal(readTaskStage({ id: 'a-1' }), 'unknown')
  })

  await t.test(
    'sees an open activity whose dispatch was given up, and one that Reten cannot dispatch yet',
    async (t) => {
      t.equal(readTaskStage({ id: 'a-1', status: 'PENDING', canForceRetryDispatch: true }), 'failed')
      t.equal(readTaskStage({ id: 'a-1', status: 'CANCELLED', canForceRetryDispatch: true }), 'canceled')
      t.equal(readTaskStage({ id: 'a-1', status: 'PENDING', lifecycleStatus: 'UNRESOLVED' }), 'unresolved')
      t.equal(readTaskStage({ id: 'a-1', status: 'PENDING', lifecycleStatus: 'SCHEDULED' }), 'waiting')
    },
  )
})
