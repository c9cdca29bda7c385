// Results through a storm at Reten's stand-in: whatever becomes of each answer, each result stands there once, as the stand-in counts.
import t from 'tap'
import { createHttpClient } from '../../src/http-client.ts'
import { startRetenSandbox } from '../../src/sandbox/start-reten-sandbox.ts'
import { claimAll, deliver, makeAllDue, openLedger, recordEvent, storeDispatch } from '../support/ledger.ts'
import { setUpReports } from './report-fixture.ts'

const { db } = await openLedger(t, 10)
const http = createHttpClient()
t.teardown(() => http.close())

const ACTIVITIES = 24
// A connection that answers later than the client waits: what was sent is carried out all the same.
const TIMEOUT_MS = 150
const SLOW_MS = 400
const ODDS = {
  reset_before: 0.1,
  error_before: 0.1,
  throttled: 0.05,
  slow: 0.1,
  lost_after: 0.15,
  error_after: 0.1,
  half_answer: 0.1,
  wrong_type: 0.1,
} as const
// More tries than the storm has faults for one activity.
const RETRY_DELAYS: [number, ...number[]] = [0, ...Array.from({ length: 20 }, () => 0)]

t.test('a storm at the results endpoint leaves each result registered once, and known to be', async (t) => {
  const reten = await startRetenSandbox({
    port: 0,
    seed: 'results-storm',
    slowMs: SLOW_MS,
    faults: { odds: { results: ODDS }, mostPerKey: 6 },
  })
  t.teardown(() => reten.close())
  const bench = setUpReports(db, http, reten.url, {
    apiKey: reten.ready.apiKey,
    timeoutMs: TIMEOUT_MS,
    settings: { retry_delays: RETRY_DELAYS },
    types: [{ code: 'SALE_COMPLETED' }],
  })
  const reportAll = async (): Promise<void> => {
    for (let turn = 0; turn < 40; turn += 1) {
      await makeAllDue(db)
      const jobs = await claimAll(db, 'report')
      if (jobs.length === 0) return
      await Promise.all(jobs.map((job) => bench.runClaimed(job)))
    }
  }
  const ids: string[] = []
  for (const { id: activityId, commerce, scheduledAt } of reten.createActivities(ACTIVITIES)) {
    ids.push(await storeDispatch(db, activityId, { commerceId: commerce.externalId, scheduledAt }))
    await deliver(db)
  }
  // Every other one is announced first, so that its end overwrites something.
  const announced = ids.filter((_, number) => number % 2 === 0)
  for (const id of announced) {
    await recordEvent(db, id, { eventId: 'E-0', status: 'PENDING', occurredAt: new Date().toISOString() })
  }
  await reportAll()
  for (const id of ids) await recordEvent(db, id, { eventId: 'E-1', occurredAt: new Date().toISOString() })
  await reportAll()

  t.same(await db.selectFrom('jobs').select('id').execute(), [], 'nothing waits')
  const results = await db.selectFrom('results').select(['state', 'reason']).execute()
  t.same(
    results.filter(({ state }) => state !== 'reported'),
    [],
  )
  t.equal(results.length, ACTIVITIES + announced.length)
  const dispatches = await db.selectFrom('dispatches').select('id').where('state', '=', 'completed').execute()
  t.equal(dispatches.length, ACTIVITIES)
  const counts = reten.counts()
  t.match(counts, { registered: ACTIVITIES, registrations: ACTIVITIES + announced.length, doubled: 0, standalone: 0 })
  t.ok(reten.activities().every(({ registrations }) => registrations.final === 1 && registrations.pending <= 1))
  const faults = reten.faults.counts()
  for (const kind of Object.keys(ODDS)) t.ok((faults[`results.${kind}`] ?? 0) > 0, `${kind} struck`)
})
