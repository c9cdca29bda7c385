// Who wins where a cancellation meets something else: the table of src/store/cancel-dispatch.ts, row by row.
import t from 'tap'
import { cancelDispatch } from '../../src/store/cancel-dispatch.ts'
import type { Cancel, CancelStep } from '../../src/store/cancel-dispatch.ts'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import { countUnaccounted } from '../../src/store/count-unaccounted.ts'
import { releaseJob } from '../../src/store/release-job.ts'
import { replayDispatch } from '../../src/store/replay-dispatch.ts'
import { rescueJobs } from '../../src/store/rescue-jobs.ts'
import { settleCancelEnded, settleCancelRetry } from '../../src/store/settle-cancel.ts'
import { settleCanceled } from '../../src/store/settle-canceled.ts'
import { settleDelivered, settleFailed, settleParked, settleRetry } from '../../src/store/settle-delivery.ts'
import { settleReported } from '../../src/store/settle-report.ts'
import {
  buildAttempt,
  buildResult,
  claimAll,
  claimOne,
  deliver,
  expireLeases,
  inTurn,
  makeAllDue,
  matchList,
  openLedger,
  readStory,
  recordEvent,
  redeliver,
  replay,
  secondsUntil,
  storeDispatch,
  tells,
} from '../support/ledger.ts'
import type { StoryPattern } from '../support/ledger.ts'

const { db } = await openLedger(t)

const AUTHOR = { actor: 'otto', requestId: 'r1' }
const NOTHING = { providerTaskId: undefined, result: undefined }
const RETRY = { delayMs: 60_000, isCharged: true, isFateUnknown: false }

const cancel = (id: string, overrides: Partial<Cancel> = {}) =>
  cancelDispatch(db, { id, source: 'operator', reason: 'not wanted', author: AUTHOR, ...overrides })

/** What it did; throws where it was refused. */
async function stepOf(id: string): Promise<CancelStep> {
  const result = await cancel(id)
  if (result.kind !== 'cancelled') throw new Error(`it was refused: ${result.kind}`)
  return result.cancelled.step
}

const jobsOf = (id: string) => db.selectFrom('jobs').selectAll().where('dispatch_id', '=', id).orderBy('id').execute()
const cancelJobOf = async (id: string) => (await jobsOf(id)).find(({ kind }) => kind === 'cancel')

const isAccountedFor = async () => (await countUnaccounted(db)).unaccounted === 0

/** Delivered, and the provider is asked to cancel it at this moment. */
async function claimCancel(): Promise<{ id: string; job: ClaimedJob }> {
  const id = await storeDispatch(db)
  await deliver(db, 'T-1')
  await cancel(id)
  return { id, job: await claimOne(db, 'cancel') }
}

t.test('cancelDispatch', async (t) => {
  t.test('stops one that was not tried: nobody claims it any more', async (t) => {
    const id = await storeDispatch(db)

    const result = await cancel(id)

    t.match(result, {
      kind: 'cancelled',
      cancelled: { step: 'stopped', stateBefore: 'received', state: 'canceled', cancellation: null },
    })
    tells(t, await readStory(db, id), { dispatch: { state: 'canceled', finished_at: Date }, job: undefined })
    t.same(await claimAll(db, 'deliver'), [])
  })

  t.test('stops one that waits for its next try', async (t) => {
    const id = await storeDispatch(db)
    await settleRetry(db, buildAttempt(await claimOne(db)), RETRY)

    t.equal(await stepOf(id), 'stopped')

    t.same(await jobsOf(id), [])
  })

  for (const [name, leaveInDoubt] of [
    ['waits and', (job: ClaimedJob) => settleRetry(db, buildAttempt(job), { ...RETRY, isFateUnknown: true })],
    ['is parked and', (job: ClaimedJob) => settleParked(db, buildAttempt(job), 'timeout')],
  ] as const) {
    t.test(`has the provider asked, a little later, where it ${name} may have been done`, async (t) => {
      const id = await storeDispatch(db)
      await leaveInDoubt(await claimOne(db))

      t.equal(await stepOf(id), 'asking')

      tells(t, await readStory(db, id), {
        dispatch: { state: 'canceled', cancellation: 'requested' },
        job: undefined,
      })
      const job = await cancelJobOf(id)
      const seconds = await secondsUntil(db, job?.due_at ?? new Date(Number.NaN))
      t.ok(seconds > 5 && seconds <= 10, `${seconds} s`)
    })
  }

  t.test('has the provider asked at once to cancel what was delivered, which stays so until it has', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')

    t.equal(await stepOf(id), 'asking')

    tells(t, await readStory(db, id), { dispatch: { state: 'delivered', cancellation: 'requested' } })
    t.match(await claimOne(db, 'cancel'), { kind: 'cancel', dispatchId: id, attempts: 0 })
  })

  t.test('refuses what has ended, and what the provider has told the end of', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1', {})
    t.same(await cancel(id), { kind: 'ended', state: 'delivered', isTold: true })

    await settleReported(db, buildAttempt(await claimOne(db, 'report')), { retenResultId: 'R-1', isFinal: true })
    t.same(await cancel(id), { kind: 'ended', state: 'completed', isTold: false })

    await replay(db, id)
    await settleFailed(db, buildAttempt(await claimOne(db)), 'http_422')
    t.same(await cancel(id), { kind: 'ended', state: 'failed', isTold: false })

    await db.updateTable('dispatches').set({ state: 'discarded' }).execute()
    t.same(await cancel(id), { kind: 'ended', state: 'discarded', isTold: false })
    t.same(await cancel('00000000-0000-8000-8000-000000000000'), { kind: 'not_found' })
  })

  t.test('is done once: the second one changes and records nothing', async (t) => {
    for (const prepare of [async () => {}, async () => void (await claimOne(db)), () => deliver(db, 'T-1')]) {
      const id = await storeDispatch(db, `A-${Math.random()}`)
      await prepare()
      await cancel(id)
      const before = await readStory(db, id)

      t.equal(await stepOf(id), 'unchanged')

      t.same(await readStory(db, id), before)
      t.equal((await db.selectFrom('audit_log').select('id').where('target', '=', id).execute()).length, 1)
    }
  })

  t.test('asks again where the provider did not cancel its task', async (t) => {
    for (const end of ['refused', 'unsupported', 'gave_up'] as const) {
      const id = await storeDispatch(db, end)
      await deliver(db, 'T-1')
      await cancel(id)
      await settleCancelEnded(db, buildAttempt(await claimOne(db, 'cancel')), end)
      t.match((await readStory(db, id)).dispatch, { state: 'delivered', cancellation: end })

      t.equal(await stepOf(id), 'asking')

      await settleCancelEnded(db, buildAttempt(await claimOne(db, 'cancel')), 'canceled')
      t.match((await readStory(db, id)).dispatch, { state: 'canceled', cancellation: 'canceled', finished_at: Date })
    }
  })

  t.test('writes down who wanted it, where that was found, and why', async (t) => {
    const id = await storeDispatch(db)

    await cancel(id, { source: 'reten', author: { actor: 'reconcile' } })

    matchList(t, await db.selectFrom('audit_log').selectAll().where('target', '=', id).execute(), [
      {
        actor: 'reconcile',
        action: 'dispatch.canceled',
        reason: 'not wanted',
        detail: { source: 'reten', step: 'stopped', stateBefore: 'received' },
      },
    ])
  })
})

/** What a worker may learn of a delivery that was cancelled while it had it, and what is stored because of it. */
const ANSWERS: readonly (readonly [
  sentence: string,
  settle: (job: ClaimedJob) => Promise<unknown>,
  story: StoryPattern,
  isAsked: boolean,
])[] = [
  [
    'an acceptance: a task exists after all, and the provider is asked',
    (job) => settleDelivered(db, buildAttempt(job), { providerTaskId: 'T-1', result: undefined }),
    {
      dispatch: { state: 'canceled', cancellation: 'requested', provider_task_id: 'T-1', delivered_at: Date },
      attempts: [{ outcome: 'accepted' }],
    },
    true,
  ],
  [
    'an acceptance with its end: the work is done, its result is told',
    (job) => settleDelivered(db, buildAttempt(job), { providerTaskId: 'T-1', result: buildResult() }),
    { dispatch: { state: 'canceled', cancellation: 'too_late' }, results: [{ state: 'pending' }], reports: [{}] },
    false,
  ],
  [
    'a refusal: nothing is left of it',
    (job) => settleFailed(db, buildAttempt(job, { outcome: 'rejected' }), 'http_422'),
    { dispatch: { state: 'canceled', cancellation: null, reason_code: null }, attempts: [{ outcome: 'rejected' }] },
    false,
  ],
  [
    'a provider that was busy: nothing is left of it',
    (job) => settleRetry(db, buildAttempt(job, { outcome: 'retry' }), RETRY),
    { dispatch: { state: 'canceled', cancellation: null }, attempts: [{ outcome: 'retry' }] },
    false,
  ],
  [
    'a provider that wants us slower: nothing is left of it',
    (job) => settleRetry(db, buildAttempt(job), { ...RETRY, isCharged: false }),
    { dispatch: { state: 'canceled', cancellation: null } },
    false,
  ],
  [
    'no answer: it may be done, and the provider is asked',
    (job) => settleRetry(db, buildAttempt(job), { ...RETRY, isFateUnknown: true }),
    { dispatch: { state: 'canceled', cancellation: 'requested' } },
    true,
  ],
  [
    'no answer for good: nobody parks it, the provider is asked',
    (job) => settleParked(db, buildAttempt(job), 'timeout'),
    { dispatch: { state: 'canceled', cancellation: 'requested' } },
    true,
  ],
]

t.test('a delivery that is cancelled while a worker has it', async (t) => {
  for (const [sentence, settle, story, isAsked] of ANSWERS) {
    t.test(`is canceled, and ends with ${sentence}`, async (t) => {
      const id = await storeDispatch(db)
      const job = await claimOne(db)

      t.equal(await stepOf(id), 'in_flight')
      tells(t, await readStory(db, id), { dispatch: { state: 'canceled', cancellation: 'requested' } })
      t.ok(await isAccountedFor(), 'its worker has it')
      t.equal(await settle(job), 'canceled')

      tells(t, await readStory(db, id), { ...story, job: undefined })
      t.equal((await cancelJobOf(id)) !== undefined, isAsked)
      t.ok(await isAccountedFor())
      t.equal(await settleDelivered(db, buildAttempt(job), NOTHING), 'stale', 'a claim settles once')
    })

    t.test(`is canceled, whichever of the two is first, and ends with ${sentence}`, async (t) => {
      const id = await storeDispatch(db)
      const job = await claimOne(db)
      let settled: unknown

      await inTurn(
        t,
        db,
        'audit_log',
        () => cancel(id),
        async () => {
          settled = await settle(job)
        },
      )

      t.equal(settled, 'canceled')
      tells(t, await readStory(db, id), { ...story, job: undefined })
    })
  }

  t.test('is asked for at the provider where the acceptance was first', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)
    let step: unknown

    await inTurn(
      t,
      db,
      'attempts',
      () => settleDelivered(db, buildAttempt(job), { providerTaskId: 'T-1', result: undefined }),
      async () => {
        step = await stepOf(id)
      },
    )

    t.equal(step, 'asking')
    tells(t, await readStory(db, id), { dispatch: { state: 'delivered', cancellation: 'requested' } })
  })

  t.test('is not tried again where its worker gave it back', async (t) => {
    const id = await storeDispatch(db)
    for (const [isFateUnknown, isAsked] of [
      [false, false],
      [true, true],
    ]) {
      await replay(db, id)
      const job = await claimOne(db)
      await cancel(id)
      await releaseJob(db, { ...job, delayMs: 0, isFateUnknown: isFateUnknown === true })

      t.equal(await settleCanceled(db, await claimOne(db)), 'settled')

      t.equal((await cancelJobOf(id)) !== undefined, isAsked)
      t.equal((await readStory(db, id)).dispatch.cancellation, isAsked === true ? 'requested' : null)
      t.ok(await isAccountedFor())
    }
  })

  t.test('is of unknown fate where its lease expired, however often: the provider is asked', async (t) => {
    const id = await storeDispatch(db)
    for (let crash = 0; crash < 4; crash += 1) {
      await claimOne(db)
      if (crash === 0) t.equal(await stepOf(id), 'in_flight')
      await expireLeases(db)
      if (crash === 0) t.equal(await stepOf(id), 'unchanged')
      t.match(await rescueJobs(db), { rescued: 1, poisoned: [] })
    }

    t.equal(await settleCanceled(db, await claimOne(db)), 'settled')

    tells(t, await readStory(db, id), { dispatch: { state: 'canceled', cancellation: 'requested' }, job: undefined })
    t.ok(await cancelJobOf(id))
  })

  t.test('is of unknown fate where its lease had expired already', async (t) => {
    const id = await storeDispatch(db)
    await claimOne(db)
    await expireLeases(db)

    t.equal(await stepOf(id), 'in_flight')
    await rescueJobs(db)
    await settleCanceled(db, await claimOne(db))

    t.ok(await cancelJobOf(id))
  })
})

t.test('a cancellation and the provider', async (t) => {
  t.test("yields to a final event that was first, or comes before the provider's answer", async (t) => {
    const { id, job } = await claimCancel()

    await recordEvent(db, id)
    t.equal(await settleCancelEnded(db, buildAttempt(job, { outcome: 'canceled' }), 'canceled'), 'settled')

    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered', cancellation: 'too_late', finished_at: null },
      results: [{ state: 'pending' }],
      reports: [{}],
      attempts: [{ kind: 'deliver' }, { kind: 'cancel', outcome: 'canceled' }],
    })
    t.equal(await cancelJobOf(id), undefined)
  })

  t.test('is over where a final event comes before the provider was asked', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await cancel(id)

    await recordEvent(db, id)

    t.equal(await cancelJobOf(id), undefined)
    t.match((await readStory(db, id)).dispatch, { state: 'delivered', cancellation: 'too_late' })
  })

  for (const [first, second, outcome] of [
    ['event', 'cancellation', 'refused'],
    ['cancellation', 'event', 'too_late'],
  ] as const) {
    t.test(`leaves the result standing where the ${first} is a moment before the ${second}`, async (t) => {
      const id = await storeDispatch(db)
      await deliver(db, 'T-1')
      let result: unknown
      const deeds = {
        event: () => recordEvent(db, id),
        cancellation: async () => {
          result = await cancel(id)
        },
      }

      await inTurn(t, db, first === 'event' ? 'results' : 'audit_log', deeds[first], deeds[second])

      const { dispatch, results } = await readStory(db, id)
      t.match(results, [{ state: 'pending' }])
      t.equal(await cancelJobOf(id), undefined)
      t.match(result, outcome === 'refused' ? { kind: 'ended', isTold: true } : { kind: 'cancelled' })
      t.equal(dispatch.cancellation, outcome === 'refused' ? null : 'too_late')
    })
  }

  t.test('keeps the result of one that was canceled, and reports it', async (t) => {
    const { id, job } = await claimCancel()
    await settleCancelEnded(db, buildAttempt(job), 'canceled')

    await recordEvent(db, id)
    await settleReported(db, buildAttempt(await claimOne(db, 'report')), { retenResultId: 'R-1', isFinal: true })

    t.match((await readStory(db, id)).dispatch, { state: 'completed', cancellation: 'too_late' })
  })

  t.test('is asked for again later, and counted, and not after a final event', async (t) => {
    const { id, job } = await claimCancel()
    await settleCancelRetry(db, buildAttempt(job, { outcome: 'ambiguous' }), { delayMs: 60_000, isCharged: true })
    t.match(await cancelJobOf(id), { attempts: 1, leased_until: null })

    await makeAllDue(db)
    const again = await claimOne(db, 'cancel')
    await recordEvent(db, id)
    await settleCancelRetry(db, buildAttempt(again), { delayMs: 60_000, isCharged: true })

    t.equal(await cancelJobOf(id), undefined)
  })

  t.test('is set aside after three workers ended with it, and says so', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await cancel(id)
    for (const notCanceled of [[], [], [id]]) {
      await claimOne(db, 'cancel')
      await expireLeases(db)
      t.match(await rescueJobs(db), { poisoned: [], notCanceled })
    }

    t.match((await readStory(db, id)).dispatch, { state: 'delivered', cancellation: 'gave_up' })
    t.ok(await isAccountedFor())
  })

  t.test('raises the alarm where nothing carries it on', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await cancel(id)
    await db.deleteFrom('jobs').where('dispatch_id', '=', id).execute()

    t.notOk(await isAccountedFor())
  })
})

t.test('a cancellation and a replay', async (t) => {
  const ask = (id: string) => replayDispatch(db, { id, reason: 'again', isDryRun: false, author: AUTHOR })

  t.test('is forgotten with the replay, as long as nobody asks the provider at this moment', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await cancel(id)
    const job = await claimOne(db, 'cancel')
    t.same(await ask(id), { kind: 'in_flight' })

    await settleCancelRetry(db, buildAttempt(job), { delayMs: 0, isCharged: true })
    t.match(await ask(id), { kind: 'planned' })

    tells(t, await readStory(db, id), { dispatch: { state: 'received', cancellation: null }, job: { revision: 0 } })
    t.equal(await cancelJobOf(id), undefined)
  })

  t.test('has a cancelled task made anew: under the key it had, the provider would take it for that one', async (t) => {
    const { id, job } = await claimCancel()
    await settleCancelEnded(db, buildAttempt(job), 'canceled')

    t.match(await ask(id), { plan: { revisionBefore: 0, revision: 1, stateBefore: 'canceled' } })

    tells(t, await readStory(db, id), { dispatch: { state: 'received', revision: 1 }, job: { revision: 1 } })
    await deliver(db, 'T-2')
    t.match((await readStory(db, id)).dispatch, { state: 'delivered', provider_task_id: 'T-2', cancellation: null })
  })

  t.test('leaves the doubt to the replay: what may exist is searched for, not made again', async (t) => {
    for (const end of ['refused', 'unsupported', 'gave_up', undefined] as const) {
      const id = await storeDispatch(db, `A-${end}`)
      const job = await claimOne(db)
      await cancel(id)
      await settleRetry(db, buildAttempt(job), { ...RETRY, isFateUnknown: true })
      await makeAllDue(db)
      if (end !== undefined) await settleCancelEnded(db, buildAttempt(await claimOne(db, 'cancel')), end)

      await replay(db, id)

      t.match(await claimOne(db), { dispatchId: id, isFateUnknown: true })
    }
  })

  t.test('asks the provider for what was delivered before the replay', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await replay(db, id)

    t.equal(await stepOf(id), 'asking')

    tells(t, await readStory(db, id), { dispatch: { state: 'canceled', cancellation: 'requested' }, job: undefined })
    t.ok(await cancelJobOf(id))
  })

  t.test('asks for it also where the replay was under way and did nothing', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await replay(db, id)
    const job = await claimOne(db)
    t.equal(await stepOf(id), 'in_flight')

    t.equal(await settleFailed(db, buildAttempt(job), 'http_422'), 'canceled')

    tells(t, await readStory(db, id), { dispatch: { state: 'canceled', cancellation: 'requested' }, job: undefined })
    t.ok(await cancelJobOf(id))
  })

  t.test('holds where it is a moment after the replay', async (t) => {
    const id = await storeDispatch(db)
    await settleFailed(db, buildAttempt(await claimOne(db)), 'http_422')

    await inTurn(
      t,
      db,
      'audit_log',
      () => ask(id),
      () => cancel(id),
    )

    tells(t, await readStory(db, id), { dispatch: { state: 'canceled', cancellation: null }, job: undefined })
  })

  t.test('is forgotten where it is a moment before the replay', async (t) => {
    const id = await storeDispatch(db)

    await inTurn(
      t,
      db,
      'audit_log',
      () => cancel(id),
      () => ask(id),
    )

    tells(t, await readStory(db, id), { dispatch: { state: 'received', finished_at: null }, job: { attempts: 0 } })
  })

  t.test('is forgotten with a changed body that is to be delivered, whoever asks the provider', async (t) => {
    const { id, job } = await claimCancel()

    await redeliver(db)
    t.equal(await settleCancelEnded(db, buildAttempt(job), 'canceled'), 'stale')

    tells(t, await readStory(db, id), {
      dispatch: { state: 'received', cancellation: null, revision: 1 },
      job: { revision: 1 },
    })
    t.equal(await stepOf(id), 'asking', 'and that can be cancelled in turn, with the task of before')
  })
})
