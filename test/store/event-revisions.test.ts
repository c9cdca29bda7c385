// Which revision of a dispatch a provider's event is about: late news of an earlier one is not the present one's result.
import t from 'tap'
import { recordProviderEvent } from '../../src/store/record-provider-event.ts'
import type { ProviderEvent } from '../../src/dispatch/provider-event.ts'
import {
  buildResult,
  CONNECTION,
  deliver,
  openLedger,
  readStory,
  redeliver,
  storeDispatch,
  tells,
} from '../support/ledger.ts'

const { db } = await openLedger(t)

function tell(ids: Omit<ProviderEvent, 'content'>, eventId = 'E-1') {
  const event = { ...ids, content: buildResult({ eventId }) }
  return recordProviderEvent(db, {
    connection: CONNECTION,
    provider: 'test',
    event,
    body: Buffer.from(JSON.stringify(event)),
  })
}

const KEPT = { revision: 0, state: 'superseded', reason_code: 'earlier_revision', attention_at: Date }

t.test('a final event', async (t) => {
  t.test('of the task of an earlier body ends nothing, before the changed one is delivered and after', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await redeliver(db)

    await tell({ providerTaskId: 'T-1' })

    tells(t, await readStory(db, id), {
      dispatch: { state: 'received' },
      results: [KEPT],
      reports: [],
      job: { revision: 1 },
    })
    await deliver(db, 'T-2')
    await tell({ dispatchId: id, providerTaskId: 'T-1' }, 'E-2')
    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, results: [KEPT, KEPT], reports: [] })

    await tell({ providerTaskId: 'T-2' }, 'E-3')
    tells(t, await readStory(db, id), { results: [KEPT, KEPT, { revision: 1, state: 'pending' }], reports: [{}] })
  })

  t.test('is about the revision whose key it names', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)
    await redeliver(db)
    await redeliver(db, 'A-1', 'changed again')
    await deliver(db)

    await tell({ dispatchId: `${id}-r1` })
    await tell({ dispatchId: `${id}-r2` }, 'E-2')

    tells(t, await readStory(db, id), {
      results: [
        { ...KEPT, revision: 1 },
        { revision: 2, state: 'pending' },
      ],
    })
  })

  t.test('of a task that is told of before its delivery is settled is the present revision’s', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await redeliver(db)

    await tell({ dispatchId: id, providerTaskId: 'T-2' })

    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered' },
      results: [{ revision: 1, state: 'pending' }],
    })
  })

  t.test('that says under another id what was said is kept and not told again', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')

    await tell({ dispatchId: id })
    await tell({ dispatchId: id }, 'E-2')

    tells(t, await readStory(db, id), {
      results: [{ state: 'pending' }, { state: 'superseded', reason_code: 'repeated' }],
      reports: [{}],
    })
  })
})
