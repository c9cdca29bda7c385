import t from 'tap'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import type { Db } from '../../src/store/database.ts'
import { recordProviderEvent } from '../../src/store/record-provider-event.ts'
import { releaseJob } from '../../src/store/release-job.ts'
import { releaseParked } from '../../src/store/release-parked.ts'
import type { ParkedRelease } from '../../src/store/release-parked.ts'
import { settleDelivered, settleParked, settleRetry } from '../../src/store/settle-delivery.ts'
import { settleReported } from '../../src/store/settle-report.ts'
import {
  addConnection,
  buildAttempt,
  claimOne,
  deliver,
  inTurn,
  matchList,
  openLedger,
  readStory,
  recordEvent,
  replay,
  storeDispatch,
  tells,
} from '../support/ledger.ts'

const { db } = await openLedger(t)

const release = (id: string, overrides: Partial<ParkedRelease> = {}) =>
  releaseParked(db, {
    id,
    action: 'repeat',
    providerTaskId: undefined,
    reason: 'I looked',
    author: { actor: 'otto', requestId: 'r1' },
    ...overrides,
  })

/** A dispatch whose delivery waits for a person, and the claim that ended so. */
async function park(db: Db, activityId = 'A-1'): Promise<{ id: string; job: ClaimedJob }> {
  const id = await storeDispatch(db, activityId)
  const job = await claimOne(db)
  await settleParked(db, buildAttempt(job, { outcome: 'ambiguous' }), 'timeout')
  return { id, job }
}

t.test('releaseParked', async (t) => {
  t.test('repeats: due at once, with all its tries and without its doubt', async (t) => {
    const { id } = await park(db)

    const outcome = await release(id)

    t.match(outcome, {
      kind: 'released',
      released: { id, activityId: 'A-1', connection: 'acme', parkedReason: 'timeout' },
    })
    tells(t, await readStory(db, id), {
      dispatch: { state: 'received' },
      job: { parked_reason: null, is_fate_unknown: false, attempts: 0, crashes: 0 },
    })
    t.match(await claimOne(db), { dispatchId: id, attempts: 0, isFateUnknown: false })
  })

  t.test("takes it for delivered, under the provider's id, by which a later event finds it", async (t) => {
    const { id } = await park(db)

    await release(id, { action: 'delivered', providerTaskId: 'T-7' })

    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered', delivered_at: Date, provider_task_id: 'T-7', finished_at: null },
      job: undefined,
    })
    const content = { status: 'EFFECTIVE', code: 'SALE_COMPLETED', occurredAt: '2026-05-04T15:20:00.000Z' } as const
    const event = { providerTaskId: 'T-7', content }
    const received = { connection: 'acme', provider: 'test', event, body: Buffer.from('{}') }
    t.match(await recordProviderEvent(db, received), { dispatchId: id, isNew: true })
  })

  t.test('keeps the id that is known where it is told none', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await replay(db, id)
    await settleParked(db, buildAttempt(await claimOne(db)), 'timeout')

    await release(id, { action: 'delivered' })

    t.match((await readStory(db, id)).dispatch, { state: 'delivered', provider_task_id: 'T-1' })
  })

  t.test('completes it where Reten has its final result already', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db, 'T-1')
    await recordEvent(db, id)
    await settleReported(db, buildAttempt(await claimOne(db, 'report')), { retenResultId: 'R-1', isFinal: true })
    await replay(db, id)
    await settleParked(db, buildAttempt(await claimOne(db)), 'timeout')

    await release(id, { action: 'delivered' })

    t.match((await readStory(db, id)).dispatch, { state: 'completed', finished_at: Date })
  })

  t.test('writes down who decided what, and why', async (t) => {
    const { id } = await park(db)

    await release(id, { action: 'delivered', providerTaskId: 'T-7' })

    matchList(t, await db.selectFrom('audit_log').selectAll().where('target', '=', id).execute(), [
      {
        actor: 'otto',
        request_id: 'r1',
        action: 'dispatch.released',
        reason: 'I looked',
        detail: { action: 'delivered', parkedReason: 'timeout', providerTaskId: 'T-7' },
      },
    ])
  })

  t.test('refuses what is not parked, and says what it is', async (t) => {
    const id = await storeDispatch(db)
    t.same(await release(id), { kind: 'not_parked', state: 'received', phase: 'waiting' })

    const job = await claimOne(db)
    t.same(await release(id), { kind: 'not_parked', state: 'received', phase: 'in_flight' })

    await settleRetry(db, buildAttempt(job), { delayMs: 60_000, isCharged: true, isFateUnknown: false })
    t.same(await release(id), { kind: 'not_parked', state: 'received', phase: 'retrying' })

    await db.deleteFrom('jobs').execute()
    await db.updateTable('dispatches').set({ state: 'delivered', delivered_at: new Date() }).execute()
    t.same(await release(id), { kind: 'not_parked', state: 'delivered', phase: 'none' })
    t.same(await release('00000000-0000-8000-8000-000000000000'), { kind: 'not_found' })
  })

  t.test('repeats nothing for a connection that is archived, and lets it be told for delivered', async (t) => {
    await addConnection(db, 'gone')
    const id = await storeDispatch(db, 'A-2', { connection: 'gone' })
    await settleParked(db, buildAttempt(await claimOne(db, 'deliver', { connection: 'gone' })), 'timeout')
    await db.updateTable('connections').set({ state: 'archived' }).where('name', '=', 'gone').execute()

    t.same(await release(id), { kind: 'archived' })
    t.match(await release(id, { action: 'delivered' }), { kind: 'released' })
  })
})

t.test('releaseParked beside others', async (t) => {
  t.test('leaves nothing to a worker that comes back late', async (t) => {
    const { id, job } = await park(db)
    // Whoever claimed it last: parking ended that claim, and so does the release.
    const { job: parked } = await readStory(db, id)
    const late = { ...job, claimNo: parked?.claim_no ?? 0 }

    await release(id)

    t.equal(await settleDelivered(db, buildAttempt(late), { providerTaskId: 'T-9', result: undefined }), 'stale')
    t.notOk(await releaseJob(db, { ...late, delayMs: 0, isFateUnknown: true }))
    tells(t, await readStory(db, id), { dispatch: { state: 'received' }, job: { is_fate_unknown: false } })
  })

  t.test('is carried out once where two operators decide at once: the first one wins', async (t) => {
    const { id } = await park(db)
    const outcomes: unknown[] = []

    await inTurn(
      t,
      db,
      'audit_log',
      async () => outcomes.push((await release(id, { action: 'delivered' })).kind),
      async () => outcomes.push(await release(id, { action: 'repeat' })),
    )

    t.same(outcomes, ['released', { kind: 'not_parked', state: 'delivered', phase: 'none' }])
    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, job: undefined })
  })

  t.test("yields to the provider's final event that came first", async (t) => {
    const { id } = await park(db)
    let second: unknown

    await inTurn(
      t,
      db,
      'results',
      () => recordEvent(db, id),
      async () => {
        second = await release(id)
      },
    )

    t.same(second, { kind: 'not_parked', state: 'delivered', phase: 'none' })
  })
})
