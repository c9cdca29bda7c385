import t from 'tap'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import type { Db } from '../../src/store/database.ts'
import { releaseJob } from '../../src/store/release-job.ts'
import { rescueJobs } from '../../src/store/rescue-jobs.ts'
import type { Settled } from '../../src/store/settle-delivery.ts'
import { settleReported, settleReportEnded, settleReportRetry } from '../../src/store/settle-report.ts'
import {
  buildAttempt,
  claimOne,
  deliver,
  expireLeases,
  makeAllDue,
  openLedger,
  readStory,
  recordEvent,
  redeliver,
  refuseWrites,
  replay,
  secondsUntil,
  storeDispatch,
  tells,
  matchList,
} from '../support/ledger.ts'

const REPORTED = { retenResultId: 'R-1', isFinal: true }
const REFUSED = { state: 'failed', reasonCode: 'http_400', reason: 'Reten: unknown code' } as const
const RETRY = { delayMs: 30_000, isCharged: true, isFateUnknown: true }

/** Every way for a report to end. */
const ENDINGS: Readonly<Record<string, (db: Db, job: ClaimedJob) => Promise<Settled>>> = {
  reported: (db, job) => settleReported(db, buildAttempt(job), REPORTED),
  ended: (db, job) => settleReportEnded(db, buildAttempt(job), REFUSED),
  retry: (db, job) => settleReportRetry(db, buildAttempt(job), RETRY),
}

/** What each ending writes to, and how. */
const WRITES: readonly (readonly [ending: string, table: string, verb: 'insert' | 'update' | 'delete'])[] = [
  ['reported', 'attempts', 'insert'],
  ['reported', 'results', 'update'],
  ['reported', 'dispatches', 'update'],
  ['reported', 'jobs', 'delete'],
  ['ended', 'attempts', 'insert'],
  ['ended', 'results', 'update'],
  ['ended', 'jobs', 'delete'],
  ['retry', 'attempts', 'insert'],
  ['retry', 'jobs', 'update'],
]

async function settleAs(ending: string, db: Db, job: ClaimedJob): Promise<Settled> {
  const settle = ENDINGS[ending]
  if (settle === undefined) throw new Error(`there is no ending ${ending}`)
  return settle(db, job)
}

/** A delivered dispatch with one result that is due for Reten. */
async function deliverWithResult(db: Db, content: Parameters<typeof deliver>[2] = {}): Promise<string> {
  const id = await storeDispatch(db)
  await deliver(db, 'T-1', content)
  return id
}

const { db } = await openLedger(t)

t.test('settleReported', async (t) => {
  t.test('completes the dispatch whose final result stands at Reten', async (t) => {
    const id = await deliverWithResult(db)
    const job = await claimOne(db, 'report')

    t.equal(await settleReported(db, buildAttempt(job, { httpStatus: 201 }), REPORTED), 'settled')

    const story = await readStory(db, id)
    t.match(story.dispatch, { state: 'completed', finished_at: Date, delivered_at: Date })
    tells(t, story, { results: [{ state: 'reported', reten_result_id: 'R-1', reason_code: null, settled_at: Date }] })
    t.strictSame(story.reports, [])
    t.match(story.attempts.at(-1), { kind: 'report', number: 1, outcome: 'accepted', result_id: story.results[0]?.id })
  })

  t.test('completes it too where Reten has the result from a try whose answer was lost', async (t) => {
    const id = await deliverWithResult(db)

    await settleReported(db, buildAttempt(await claimOne(db, 'report')), { retenResultId: undefined, isFinal: true })

    tells(t, await readStory(db, id), {
      dispatch: { state: 'completed' },
      results: [{ state: 'reported', reten_result_id: null }],
    })
  })

  t.test('leaves a dispatch delivered whose result announces another one', async (t) => {
    const id = await deliverWithResult(db, { status: 'PENDING' })
    await makeAllDue(db)

    await settleReported(db, buildAttempt(await claimOne(db, 'report')), { retenResultId: 'R-1', isFinal: false })

    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered', finished_at: null },
      results: [{ state: 'reported' }],
    })
  })

  for (const state of ['failed', 'canceled'] as const) {
    t.test(`completes a ${state} dispatch: it was done after all`, async (t) => {
      const id = await storeDispatch(db)
      await db.deleteFrom('jobs').execute()
      await db
        .updateTable('dispatches')
        .set({ state, reason_code: 'gave_up', finished_at: new Date(0) })
        .execute()
      await recordEvent(db, id)

      await settleReported(db, buildAttempt(await claimOne(db, 'report')), REPORTED)

      const { dispatch } = await readStory(db, id)
      t.equal(dispatch.state, 'completed')
      t.ok((dispatch.finished_at ?? new Date(0)) > new Date(0), 'finished when it was completed')
    })
  }

  t.test('leaves a replayed dispatch to its delivery', async (t) => {
    const id = await deliverWithResult(db)
    const job = await claimOne(db, 'report')
    await replay(db, id)

    t.equal(await settleReported(db, buildAttempt(job), REPORTED), 'settled')

    tells(t, await readStory(db, id), {
      dispatch: { state: 'received', finished_at: null },
      results: [{ state: 'reported' }],
    })
  })

  t.test('completes nothing by the result of the body before', async (t) => {
    const id = await deliverWithResult(db)
    const job = await claimOne(db, 'report')
    await redeliver(db)
    await deliver(db, 'T-2')

    await settleReported(db, buildAttempt(job), REPORTED)

    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered', revision: 1 },
      results: [{ state: 'reported' }],
    })
  })

  t.test('completes a dispatch once, however often it is settled', async (t) => {
    const id = await deliverWithResult(db)
    const job = await claimOne(db, 'report')

    const settled = await Promise.all([1, 2, 3].map(() => settleReported(db, buildAttempt(job), REPORTED)))

    t.strictSame(settled.toSorted(), ['settled', 'stale', 'stale'])
    t.equal((await readStory(db, id)).attempts.filter(({ kind }) => kind === 'report').length, 1)
  })
})

t.test('settleReportEnded', async (t) => {
  for (const state of ['failed', 'conflict', 'unproven'] as const) {
    t.test(`keeps a ${state} result with the reason, in Reten's words`, async (t) => {
      const id = await deliverWithResult(db)
      const job = await claimOne(db, 'report')

      await settleReportEnded(db, buildAttempt(job), { state, reasonCode: 'http_409', reason: 'a\u0000b' })

      const story = await readStory(db, id)
      tells(t, story, { results: [{ state, reason_code: 'http_409', reason: 'a\ufffdb', settled_at: Date }] })
      t.match(story.dispatch, { state: 'delivered', finished_at: null })
      t.strictSame(story.reports, [])
    })
  }
})

t.test('settleReportRetry', async (t) => {
  t.test('gives the report its next time', async (t) => {
    const id = await deliverWithResult(db)

    await settleReportRetry(db, buildAttempt(await claimOne(db, 'report')), RETRY)

    const { reports, results } = await readStory(db, id)
    matchList(t, reports, [{ attempts: 1, is_fate_unknown: true, leased_until: null, claimed_by: null }])
    const seconds = await secondsUntil(db, reports[0]?.due_at ?? new Date(0))
    t.ok(seconds > 25 && seconds <= 30, `due in ${seconds} s`)
    matchList(t, results, [{ state: 'pending' }])
  })
})

t.test('a report that settles', async (t) => {
  for (const ending of Object.keys(ENDINGS)) {
    t.test(`as ${ending} writes nothing once another worker had the job, even one that gave it back`, async (t) => {
      const id = await deliverWithResult(db)
      const stale = await claimOne(db, 'report', { worker: 'worker-a' })
      await expireLeases(db)
      await rescueJobs(db)
      const fresh = await claimOne(db, 'report', { worker: 'worker-b' })
      await releaseJob(db, { ...fresh, delayMs: 0, isFateUnknown: false })
      const before = await readStory(db, id)

      t.equal(await settleAs(ending, db, stale), 'stale')
      t.strictSame(await readStory(db, id), before)
    })
  }

  for (const [ending, table, verb] of WRITES) {
    t.test(`as ${ending} leaves nothing behind where ${table} refuses the ${verb}`, async (t) => {
      const id = await deliverWithResult(db)
      const job = await claimOne(db, 'report')
      const before = await readStory(db, id)
      await refuseWrites(t, db, table, verb)

      await t.rejects(settleAs(ending, db, job), { message: 'refused' })
      t.strictSame(await readStory(db, id), before)
    })
  }
})
