import { sql } from 'kysely'
import t from 'tap'
import { loadReports } from '../../src/store/load-reports.ts'
import { deliver, openLedger, readStory, recordEvent, storeDispatch } from '../support/ledger.ts'

const { db } = await openLedger(t)

/** A delivered dispatch with a PENDING result and then a final one; answers the id of each result. */
async function announceAndEnd(): Promise<{ readonly pending: string; readonly final: string }> {
  const id = await storeDispatch(db)
  await deliver(db)
  await recordEvent(db, id, { eventId: 'E-1', status: 'PENDING' })
  // As if Reten were being told of it at this moment, so that the final one does not take its place.
  await sql`update jobs set leased_until = now() + interval '1 minute', claimed_by = 'w'`.execute(db)
  await recordEvent(db, id, { eventId: 'E-2' })
  const { results } = await readStory(db, id)
  return { pending: results[0]?.id ?? '', final: results[1]?.id ?? '' }
}

async function loadOne(resultId: string) {
  const report = (await loadReports(db, [resultId])).get(resultId)
  if (report === undefined) throw new Error('there is no such report')
  return report
}

t.test('loadReports', async (t) => {
  t.test('answers everything that Reten is told', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1', {
      comment: 'sold',
      contactType: 'INBOUND',
      externalStatus: 'done',
      operatorExternalId: 'V-17',
      futureScheduledAt: '2030-01-01T00:00:00.000Z',
    })
    const [result] = (await readStory(db, id)).results

    t.match(await loadOne(result?.id ?? ''), {
      dispatchId: id,
      activityId: 'A-1',
      commerceId: 'C-1',
      receivedAt: Date,
      status: 'EFFECTIVE',
      code: 'SALE_COMPLETED',
      occurredAt: new Date('2026-05-04T15:20:00.000Z'),
      comment: 'sold',
      contactType: 'INBOUND',
      externalStatus: 'done',
      operatorExternalId: 'V-17',
      futureScheduledAt: new Date('2030-01-01T00:00:00.000Z'),
      announcedBy: [],
      isOverride: false,
      hasTwin: false,
      heldFor: null,
      isOvertaken: false,
    })
  })

  for (const state of ['reported', 'unproven'] as const) {
    t.test(`says that a ${state} PENDING result has to be overwritten`, async (t) => {
      const { pending, final } = await announceAndEnd()
      await db.updateTable('results').set({ state, reason_code: 'x' }).where('id', '=', pending).execute()

      t.match((await loadOne(final)).announcedBy, [{ status: 'PENDING' }])
    })
  }

  t.test('says so too while nobody knows whether Reten has the PENDING one', async (t) => {
    const { final } = await announceAndEnd()
    await sql`update jobs set is_fate_unknown = true`.execute(db)

    t.match((await loadOne(final)).announcedBy, [{ status: 'PENDING' }])
  })

  for (const state of ['superseded', 'failed', 'conflict', 'pending'] as const) {
    t.test(`says that a ${state} PENDING result need not be overwritten`, async (t) => {
      const { pending, final } = await announceAndEnd()
      await db.updateTable('results').set({ state, reason_code: 'x' }).where('id', '=', pending).execute()

      t.same((await loadOne(final)).announcedBy, [])
    })
  }

  t.test('says that a PENDING result was overtaken by the final one', async (t) => {
    const { pending, final } = await announceAndEnd()

    t.equal((await loadOne(pending)).isOvertaken, true)
    t.equal((await loadOne(final)).isOvertaken, false)
  })
})
