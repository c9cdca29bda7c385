import t from 'tap'
import type { Test } from 'tap'
import { DISPATCH_STATES } from '../../src/dispatch/states.ts'
import { replayDispatch } from '../../src/store/replay-dispatch.ts'
import type { Db } from '../../src/store/database.ts'
import { addConnectionRow, failDispatch, openTestDb, storeDispatch } from '../ops/ops-fixture.ts'

const AUTHOR = { actor: 'otto', requestId: 'r1' }

async function createFixture(t: Test) {
  const { db } = await openTestDb(t)
  await addConnectionRow(db)
  const replay = (id: string, isDryRun = false) => replayDispatch(db, { id, reason: 'why', isDryRun, author: AUTHOR })
  return { db, replay }
}

const loadJob = (db: Db, id: string) =>
  db.selectFrom('jobs').selectAll().where('dispatch_id', '=', id).executeTakeFirstOrThrow()

void t.test('replayDispatch', async (t) => {
  const { db, replay } = await createFixture(t)

  for (const state of DISPATCH_STATES) {
    await t.test(`makes a ${state} dispatch received again, under its revision`, async (t) => {
      const id = await storeDispatch(db, `from-${state}`)
      await failDispatch(db, id)
      const at = new Date()
      const change = { state, revision: 2, delivered_at: at, finished_at: at }
      await db.updateTable('dispatches').set(change).where('id', '=', id).execute()

      const outcome = await replay(id)

      t.match(outcome, {
        kind: 'planned',
        plan: { stateBefore: state, stateAfter: 'received', revision: 2, job: 'created' },
      })
      const row = await db.selectFrom('dispatches').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
      t.match(row, { state: 'received', reason_code: null, finished_at: null, revision: 2 })
      t.match(await loadJob(db, id), { kind: 'deliver', revision: 2, attempts: 0, leased_until: null })
    })
  }

  await t.test('makes the job that waits due at once, with all its tries, and keeps its doubt', async (t) => {
    const id = await storeDispatch(db, 'waiting')
    const due = new Date(Date.now() + 3_600_000)
    const change = { due_at: due, attempts: 9, crashes: 2, is_fate_unknown: true }
    await db.updateTable('jobs').set(change).where('dispatch_id', '=', id).execute()

    const outcome = await replay(id)

    t.match(outcome, { plan: { job: 'made_due', wasParked: false } })
    const job = await loadJob(db, id)
    t.match(job, { attempts: 0, crashes: 0, is_fate_unknown: true })
    t.ok(job.due_at.getTime() <= Date.now())
  })

  await t.test(
    'keeps the doubt about what took three workers with it: one of them may have delivered it',
    async (t) => {
      const id = await storeDispatch(db, 'poison')
      await failDispatch(db, id)
      await db.updateTable('dispatches').set({ reason_code: 'crashed_worker' }).where('id', '=', id).execute()

      t.match(await replay(id), { plan: { stateBefore: 'failed', job: 'created' } })

      t.match(await loadJob(db, id), { is_fate_unknown: true, attempts: 0 })
    },
  )

  await t.test('frees a parked job of its doubt, since its author has decided', async (t) => {
    const id = await storeDispatch(db, 'parked')
    const change = { parked_reason: 'fate unknown', is_fate_unknown: true }
    await db.updateTable('jobs').set(change).where('dispatch_id', '=', id).execute()

    t.match(await replay(id), { plan: { job: 'made_due', wasParked: true } })
    t.match(await loadJob(db, id), { parked_reason: null, is_fate_unknown: false })
  })

  await t.test('changes and records nothing in a dry run', async (t) => {
    const id = await storeDispatch(db, 'dry')
    await failDispatch(db, id)

    t.match(await replay(id, true), { kind: 'planned', plan: { stateBefore: 'failed' } })

    t.equal(await db.selectFrom('jobs').select('id').where('dispatch_id', '=', id).executeTakeFirst(), undefined)
    t.equal(await db.selectFrom('audit_log').select('id').where('target', '=', id).executeTakeFirst(), undefined)
  })

  await t.test('says that a paused connection will hold it back', async (t) => {
    await addConnectionRow(db, 'paused', { state: 'paused' })
    const id = await storeDispatch(db, 'p1', { connection: 'paused' })

    t.match(await replay(id), { plan: { connectionState: 'paused' } })
  })
})

void t.test('replayDispatch beside a worker', async (t) => {
  const { db, replay } = await createFixture(t)

  await t.test('leaves a leased job alone, an expired lease too', async (t) => {
    const id = await storeDispatch(db, 'leased')
    for (const seconds of [60, -60]) {
      const change = { leased_until: new Date(Date.now() + seconds * 1_000), claimed_by: 'w1', attempts: 3 }
      await db.updateTable('jobs').set(change).where('dispatch_id', '=', id).execute()

      t.same(await replay(id), { kind: 'in_flight' })
      t.match(await loadJob(db, id), { claimed_by: 'w1', attempts: 3 })
    }
  })

  await t.test('does not wait for a worker that is claiming or settling the job', async (t) => {
    const id = await storeDispatch(db, 'locked')

    await db.transaction().execute(async (worker) => {
      await worker.selectFrom('jobs').select('id').where('dispatch_id', '=', id).forUpdate().execute()

      t.same(await replay(id), { kind: 'in_flight' })
    })

    t.match(await replay(id), { kind: 'planned' })
  })

  await t.test('makes one job when two operators replay at once', async (t) => {
    const id = await storeDispatch(db, 'twice')
    await failDispatch(db, id)

    const outcomes = await Promise.all([replay(id), replay(id)])

    const jobs = await db.selectFrom('jobs').select('id').where('dispatch_id', '=', id).execute()
    t.equal(jobs.length, 1)
    t.same(outcomes.map((outcome) => (outcome.kind === 'planned' ? outcome.plan.job : outcome.kind)).toSorted(), [
      'created',
      'made_due',
    ])
  })
})
