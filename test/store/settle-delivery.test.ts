import t from 'tap'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import type { Db } from '../../src/store/database.ts'
import { releaseJob } from '../../src/store/release-job.ts'
import { rescueJobs } from '../../src/store/rescue-jobs.ts'
import { settleReported } from '../../src/store/settle-report.ts'
import { settleDelivered, settleFailed, settleParked, settleRetry } from '../../src/store/settle-delivery.ts'
import type { DeliverySettled } from '../../src/store/settle-delivery.ts'
import {
  buildAttempt,
  buildResult,
  claimOne,
  expireLeases,
  inTurn,
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

const NOTHING = { providerTaskId: undefined, result: undefined }
const RETRY = { delayMs: 30_000, isCharged: true, isFateUnknown: false }

/** Every way for a delivery to end. */
const ENDINGS: Readonly<Record<string, (db: Db, job: ClaimedJob) => Promise<DeliverySettled>>> = {
  delivered: (db, job) => settleDelivered(db, buildAttempt(job), { providerTaskId: 'T-1', result: buildResult() }),
  failed: (db, job) => settleFailed(db, buildAttempt(job), 'http_422'),
  retry: (db, job) => settleRetry(db, buildAttempt(job), RETRY),
  parked: (db, job) => settleParked(db, buildAttempt(job), 'fate_unknown'),
}

/** What each ending writes to, and how. */
const WRITES: readonly (readonly [ending: string, table: string, verb: 'insert' | 'update' | 'delete'])[] = [
  ['delivered', 'attempts', 'insert'],
  ['delivered', 'dispatches', 'update'],
  ['delivered', 'results', 'insert'],
  ['delivered', 'jobs', 'insert'],
  ['delivered', 'jobs', 'delete'],
  ['failed', 'attempts', 'insert'],
  ['failed', 'dispatches', 'update'],
  ['failed', 'jobs', 'delete'],
  ['retry', 'attempts', 'insert'],
  ['retry', 'jobs', 'update'],
  ['parked', 'attempts', 'insert'],
  ['parked', 'jobs', 'update'],
]

async function settleAs(ending: string, db: Db, job: ClaimedJob): Promise<DeliverySettled> {
  const settle = ENDINGS[ending]
  if (settle === undefined) throw new Error(`there is no ending ${ending}`)
  return settle(db, job)
}

const { db } = await openLedger(t)

t.test('settleDelivered', async (t) => {
  t.test('ends the job, keeps the try and says that the provider has it', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)

    const settled = await settleDelivered(db, buildAttempt(job, { httpStatus: 201 }), {
      providerTaskId: 'T-1',
      result: undefined,
    })

    const story = await readStory(db, id)
    t.equal(settled, 'settled')
    t.match(story.dispatch, { state: 'delivered', provider_task_id: 'T-1', delivered_at: Date, finished_at: null })
    t.equal(story.job, undefined)
    t.strictSame(story.results, [])
    tells(t, story, {
      attempts: [
        {
          kind: 'deliver',
          job_id: job.id,
          number: 1,
          claim_no: 1,
          outcome: 'accepted',
          http_status: 201,
          duration_ms: 12,
          error_code: null,
          worker: 'worker-a',
        },
      ],
    })
  })

  t.test('makes a result that came with the answer due for Reten', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)

    await settleDelivered(db, buildAttempt(job), {
      providerTaskId: undefined,
      result: buildResult({
        externalStatus: 'done',
        comment: 'sold',
        contactType: 'OUTBOUND',
        operatorExternalId: 'V-17',
        futureScheduledAt: '2030-01-01T00:00:00.000Z',
      }),
    })

    const { dispatch, results, reports } = await readStory(db, id)
    t.equal(dispatch.state, 'delivered')
    matchList(t, results, [
      {
        source: 'adapter',
        event_id: 'E-1',
        status: 'EFFECTIVE',
        code: 'SALE_COMPLETED',
        state: 'pending',
        occurred_at: new Date('2026-05-04T15:20:00.000Z'),
        external_status: 'done',
        comment: 'sold',
        contact_type: 'OUTBOUND',
        operator_external_id: 'V-17',
        future_scheduled_at: new Date('2030-01-01T00:00:00.000Z'),
      },
    ])
    matchList(t, reports, [{ result_id: results[0]?.id, leased_until: null, attempts: 0 }])
  })

  t.test('keeps a result of a type that Reten takes none for, and reports nothing', async (t) => {
    const id = await storeDispatch(db, 'A-1', { type: 'MESSAGE' })
    const job = await claimOne(db)

    await settleDelivered(db, buildAttempt(job), { providerTaskId: undefined, result: buildResult() })

    const { results, reports, dispatch } = await readStory(db, id)
    matchList(t, results, [{ state: 'unreportable', reason_code: 'type_not_reportable' }])
    t.strictSame(reports, [])
    t.equal(dispatch.state, 'delivered')
  })

  t.test('leaves a result alone that the provider’s webhook brought first', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)
    await recordEvent(db, id)

    t.equal(await settleDelivered(db, buildAttempt(job), { providerTaskId: 'T-1', result: buildResult() }), 'settled')

    const { dispatch, results, reports } = await readStory(db, id)
    t.match(dispatch, { state: 'delivered', provider_task_id: 'T-1' })
    matchList(t, results, [{ source: 'webhook' }])
    t.equal(reports.length, 1)
  })

  t.test('completes a replayed dispatch whose final result stands at Reten already', async (t) => {
    const id = await storeDispatch(db)
    await settleDelivered(db, buildAttempt(await claimOne(db)), { providerTaskId: 'T-1', result: buildResult() })
    const report = await claimOne(db, 'report')
    await settleReported(db, buildAttempt(report), { retenResultId: 'R-1', isFinal: true })
    await replay(db, id)
    t.match((await readStory(db, id)).dispatch, { state: 'received', finished_at: null })

    await settleDelivered(db, buildAttempt(await claimOne(db)), NOTHING)

    t.match((await readStory(db, id)).dispatch, { state: 'completed', finished_at: Date, provider_task_id: 'T-1' })
  })

  t.test('stores whatever a provider says, U+0000 and half characters included', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)
    const text = 'a\u0000b\ud800'

    const settled = await settleDelivered(
      db,
      buildAttempt(job, { code: text, message: text, request: text, response: text }),
      {
        providerTaskId: text,
        result: buildResult({
          eventId: text,
          code: text,
          comment: text,
          externalStatus: text,
          operatorExternalId: text,
        }),
      },
    )

    t.equal(settled, 'settled')
    tells(t, await readStory(db, id), {
      dispatch: { provider_task_id: 'a\ufffdb\ufffd' },
      attempts: [{ error_code: 'a\ufffdb\ufffd', response_excerpt: 'a\ufffdb\ufffd' }],
      results: [{ event_id: 'a\ufffdb\ufffd', comment: 'a\ufffdb\ufffd' }],
    })
  })
})

t.test('settleFailed', async (t) => {
  t.test('ends the job and says why', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)

    t.equal(await settleFailed(db, buildAttempt(job, { outcome: 'rejected', code: 'http_422' }), 'http_422'), 'settled')

    const story = await readStory(db, id)
    t.match(story.dispatch, { state: 'failed', reason_code: 'http_422', finished_at: Date, delivered_at: null })
    t.equal(story.job, undefined)
    tells(t, story, { attempts: [{ outcome: 'rejected', error_code: 'http_422' }] })
  })

  t.test('leaves the state alone where a final event proved the delivery meanwhile', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)
    await recordEvent(db, id)

    t.equal(await settleFailed(db, buildAttempt(job), 'http_422'), 'settled')

    const story = await readStory(db, id)
    t.match(story.dispatch, { state: 'delivered', reason_code: null, finished_at: null })
    t.equal(story.job, undefined)
  })

  t.test('stores a reason with U+0000 in it', async (t) => {
    const id = await storeDispatch(db)

    t.equal(await settleFailed(db, buildAttempt(await claimOne(db)), 'a\u0000b'), 'settled')
    tells(t, await readStory(db, id), { dispatch: { state: 'failed', reason_code: 'a\ufffdb' } })
  })
})

t.test('settleRetry', async (t) => {
  t.test('gives the job its next time and counts the try', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)

    t.equal(
      await settleRetry(db, buildAttempt(job, { outcome: 'ambiguous' }), { ...RETRY, isFateUnknown: true }),
      'settled',
    )

    const story = await readStory(db, id)
    t.match(story.job, {
      attempts: 1,
      leased_until: null,
      claimed_by: null,
      is_fate_unknown: true,
      parked_reason: null,
    })
    const seconds = await secondsUntil(db, story.job?.due_at ?? new Date(0))
    t.ok(seconds > 25 && seconds <= 30, `due in ${seconds} s`)
    t.match(story.dispatch, { state: 'received', finished_at: null })
    tells(t, story, { attempts: [{ outcome: 'ambiguous', number: 1 }] })
  })

  t.test('does not count a try that nobody is to blame for', async (t) => {
    const id = await storeDispatch(db)

    await settleRetry(db, buildAttempt(await claimOne(db)), { ...RETRY, isCharged: false })

    t.match((await readStory(db, id)).job, { attempts: 0 })
  })

  t.test('forgets earlier crashes: this worker came through', async (t) => {
    const id = await storeDispatch(db)
    await claimOne(db)
    await expireLeases(db)
    await rescueJobs(db)

    await settleRetry(db, buildAttempt(await claimOne(db)), RETRY)

    t.match((await readStory(db, id)).job, { crashes: 0, is_fate_unknown: false })
  })

  t.test('ends the job where a final event proved the delivery meanwhile', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)
    await recordEvent(db, id)

    t.equal(await settleRetry(db, buildAttempt(job), RETRY), 'settled')

    const story = await readStory(db, id)
    t.equal(story.job, undefined)
    t.equal(story.dispatch.state, 'delivered')
    t.equal(story.attempts.length, 1)
  })
})

t.test('settleParked', async (t) => {
  t.test('sets the job aside for a person', async (t) => {
    const id = await storeDispatch(db)

    t.equal(await settleParked(db, buildAttempt(await claimOne(db)), 'timeout'), 'settled')

    const story = await readStory(db, id)
    t.match(story.job, {
      parked_reason: 'timeout',
      is_fate_unknown: true,
      leased_until: null,
      claimed_by: null,
      attempts: 1,
    })
    t.equal(story.dispatch.state, 'received')
    await t.rejects(claimOne(db), { message: '0 jobs were claimed' })
  })

  t.test('parks nothing where a final event proved the delivery meanwhile', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)
    await recordEvent(db, id)

    t.equal(await settleParked(db, buildAttempt(job), 'timeout'), 'settled')
    t.equal((await readStory(db, id)).job, undefined)
  })
})

t.test('a delivery that settles', async (t) => {
  for (const ending of Object.keys(ENDINGS)) {
    t.test(`as ${ending} writes nothing once another worker had the job, even one that gave it back`, async (t) => {
      const id = await storeDispatch(db)
      const stale = await claimOne(db, 'deliver', { worker: 'worker-a' })
      await expireLeases(db)
      await rescueJobs(db)
      const fresh = await claimOne(db, 'deliver', { worker: 'worker-b' })
      await releaseJob(db, { ...fresh, delayMs: 0, isFateUnknown: false })
      const before = await readStory(db, id)

      t.equal(await settleAs(ending, db, stale), 'stale')
      t.strictSame(await readStory(db, id), before)
    })

    t.test(`as ${ending} is due again at once, for the changed body that came meanwhile`, async (t) => {
      const id = await storeDispatch(db)
      const job = await claimOne(db)
      await redeliver(db)

      t.equal(await settleAs(ending, db, job), 'settled')

      const story = await readStory(db, id)
      t.match(story.dispatch, { state: 'received', revision: 1, finished_at: null, reason_code: null })
      t.match(story.job, { revision: 1, attempts: 0, parked_reason: null, is_fate_unknown: false, leased_until: null })
      t.equal(story.attempts.length, 1)
      t.match(await claimOne(db), { revision: 1 })
    })

    t.test(`as ${ending} settles once`, async (t) => {
      await storeDispatch(db)
      const job = await claimOne(db)
      await settleAs(ending, db, job)
      if (ending === 'retry' || ending === 'parked')
        return t.pass('a job that stays keeps its claim until the next one')

      t.equal(await settleAs(ending, db, job), 'stale')
    })

    t.test(`as ${ending} and a changed body at the same moment do not wait for each other for ever`, async (t) => {
      const id = await storeDispatch(db)
      const job = await claimOne(db)

      await inTurn(
        t,
        db,
        'dispatch_bodies',
        () => redeliver(db),
        () => settleAs(ending, db, job),
      )

      tells(t, await readStory(db, id), {
        dispatch: { state: 'received', revision: 1 },
        job: { revision: 1, leased_until: null, attempts: 0, is_fate_unknown: false, parked_reason: null },
        attempts: [{ number: 1 }],
      })
    })
  }

  for (const [ending, table, verb] of WRITES) {
    t.test(`as ${ending} leaves nothing behind where ${table} refuses the ${verb}`, async (t) => {
      const id = await storeDispatch(db)
      const job = await claimOne(db)
      const before = await readStory(db, id)
      await refuseWrites(t, db, table, verb)

      await t.rejects(settleAs(ending, db, job), { message: 'refused' })
      t.strictSame(await readStory(db, id), before)
    })
  }

  t.test('keeps the result of the body before, and leaves the state to the changed one', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)
    await redeliver(db)

    await settleDelivered(db, buildAttempt(job), { providerTaskId: 'T-1', result: buildResult() })
    const second = await claimOne(db)
    await settleFailed(db, buildAttempt(second), 'http_422')

    const story = await readStory(db, id)
    t.match(story.dispatch, { state: 'failed', reason_code: 'http_422' })
    tells(t, story, { results: [{ revision: 0, state: 'pending' }] })
  })

  t.test('after its lease expired still counts while nobody else took the job', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)
    await expireLeases(db)
    await rescueJobs(db)

    t.equal(await settleDelivered(db, buildAttempt(job), NOTHING), 'settled')
    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, job: undefined })
  })
})
