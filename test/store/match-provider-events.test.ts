import { sql } from 'kysely'
import t from 'tap'
import type { ProviderEvent } from '../../src/dispatch/provider-event.ts'
import type { ResultContent } from '../../src/dispatch/result.ts'
import { createSilentLogger } from '../../src/logger.ts'
import { createEventMatcher } from '../../src/store/match-provider-events.ts'
import { recordProviderEvent } from '../../src/store/record-provider-event.ts'
import {
  CONNECTION,
  addConnection,
  buildResult,
  claimOne,
  deliver,
  openLedger,
  readStory,
  storeDispatch,
  tells,
} from '../support/ledger.ts'

const { db } = await openLedger(t)

const logger = createSilentLogger()

async function keep(ids: Partial<ProviderEvent>, content: Partial<ResultContent> = {}): Promise<void> {
  const event = { ...ids, content: buildResult(content) }
  const body = Buffer.from(JSON.stringify(event))
  const matched = await recordProviderEvent(db, { connection: CONNECTION, provider: 'test', event, body })
  if (matched !== undefined) throw new Error('the event fits a dispatch already')
}

/** Events of tasks that nobody here asked for. */
async function keepStrangers(count: number): Promise<void> {
  for (let number = 0; number < count; number += 1) await keep({ providerTaskId: `stranger-${number}` })
}

t.test('createEventMatcher', async (t) => {
  t.test('has nothing to do where no event waits', async (t) => {
    t.equal(await createEventMatcher(db, logger)(), 0)
  })

  t.test('applies an event to the dispatch that came after it', async (t) => {
    await keep({ activityId: 'A-1' })
    const id = await storeDispatch(db)
    await deliver(db)

    t.equal(await createEventMatcher(db, logger)(), 1)

    const story = await readStory(db, id)
    tells(t, story, { results: [{ state: 'pending', source: 'webhook' }] })
    t.equal(story.reports.length, 1)
    t.match(await db.selectFrom('provider_events').selectAll().execute(), [{ dispatch_id: id, matched_at: Date }])
  })

  t.test('applies an event once the task it names is known to be ours', async (t) => {
    const id = await storeDispatch(db)
    await keep({ providerTaskId: 'T-1' })
    t.equal(await createEventMatcher(db, logger)(), 0, 'the answer of the provider is still on its way')
    await deliver(db, 'T-1')

    t.equal(await createEventMatcher(db, logger)(), 1)
    tells(t, await readStory(db, id), { results: [{ state: 'pending' }] })
  })

  t.test('applies an event once', async (t) => {
    await keep({ activityId: 'A-1' })
    await storeDispatch(db)
    const match = createEventMatcher(db, logger)

    t.strictSame([await match(), await match()], [1, 0])
  })

  t.test('never applies an event to a dispatch of another connection', async (t) => {
    await keep({ activityId: 'A-1', providerTaskId: 'T-1' })
    await addConnection(db, 'other')
    await storeDispatch(db, 'A-1', { connection: 'other' })
    await sql`update dispatches set provider_task_id = 'T-1'`.execute(db)

    t.equal(await createEventMatcher(db, logger)(), 0)
  })

  t.test('applies them in the order in which they came', async (t) => {
    await keep({ activityId: 'A-1' }, { eventId: 'E-1', code: 'SALE_COMPLETED' })
    await keep({ activityId: 'A-1' }, { eventId: 'E-2', code: 'NO_CONTACT' })
    const id = await storeDispatch(db)
    await deliver(db)

    t.equal(await createEventMatcher(db, logger)(), 2)

    const job = await claimOne(db, 'report')
    const first = (await readStory(db, id)).results.find((result) => result.id === job.resultId)
    t.equal(first?.event_id, 'E-1')
  })

  t.test('comes to an event that waits behind any number of others', async (t) => {
    await keep({ activityId: 'A-1' })
    await keepStrangers(11)
    await storeDispatch(db)
    const match = createEventMatcher(db, logger, 3)

    const turns = [await match(), await match(), await match(), await match()]

    t.equal(
      turns.reduce((sum, matched) => sum + matched),
      1,
    )
  })

  t.test('looks at the newest events in every turn', async (t) => {
    await keepStrangers(8)
    const match = createEventMatcher(db, logger, 3)
    await match()
    await match()
    await keep({ activityId: 'A-1' })
    await storeDispatch(db)

    t.equal(await match(), 1)
  })

  t.test('starts over once it has seen them all', async (t) => {
    await keep({ activityId: 'A-1' })
    await keepStrangers(5)
    const match = createEventMatcher(db, logger, 3)
    t.strictSame([await match(), await match(), await match()], [0, 0, 0])
    await storeDispatch(db)

    t.equal((await match()) + (await match()) + (await match()), 1)
  })

  t.test('applies the others where one cannot be applied', async (t) => {
    await keep({ activityId: 'A-1' }, { eventId: 'E-1' })
    await keep({ activityId: 'A-2' }, { eventId: 'E-2' })
    await sql`update provider_events set content = jsonb_set(content::jsonb, '{content,status}', '"DONE"')
      where activity_id = 'A-1'`.execute(db)
    await storeDispatch(db, 'A-1')
    const good = await storeDispatch(db, 'A-2')

    t.equal(await createEventMatcher(db, logger)(), 1)
    tells(t, await readStory(db, good), { results: [{ event_id: 'E-2' }] })
  })

  t.test('leaves an event alone that has waited for a month', async (t) => {
    await keep({ activityId: 'A-1' })
    await sql`update provider_events set received_at = now() - interval '31 days'`.execute(db)
    await storeDispatch(db)

    t.equal(await createEventMatcher(db, logger)(), 0)
  })
})
