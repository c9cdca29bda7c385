import { hash } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import type { Db } from '../../src/store/database.ts'
import { claimJobs } from '../../src/store/claim-jobs.ts'
import { insertDispatches } from '../../src/store/insert-dispatches.ts'
import type { NewDispatch } from '../../src/store/insert-dispatches.ts'
import { recordRepeat } from '../../src/store/record-repeat.ts'
import { newDispatch } from '../support/activities.ts'
import { addConnection } from '../support/connections.ts'
import { openTestDatabase } from '../support/open-test-database.ts'
import { whenBlocked } from '../support/when-blocked.ts'

const original = newDispatch('a-1', { operatorId: 'V-1', scheduledAt: '2026-05-04T13:00:00Z' })

function changed(text: string, overrides: Partial<NewDispatch> = {}): NewDispatch {
  return { ...original, body: Buffer.from(text), ...overrides }
}

async function stored(db: Db) {
  return db.selectFrom('dispatches').selectAll().where('id', '=', original.id).executeTakeFirstOrThrow()
}

async function keptBodies(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom('dispatch_bodies')
    .select(['body_no', 'body'])
    .where('dispatch_id', '=', original.id)
    .orderBy('body_no')
    .execute()
  return rows.map((row) => `${row.body_no} ${row.body.toString()}`)
}

const first = `0 ${original.body.toString()}`

void t.test('recordRepeat', async (t) => {
  await t.test('counts the same body and keeps it once', async (t) => {
    const { db } = await openTestDatabase(t)
    await insertDispatches(db, [original])

    t.equal(await recordRepeat(db, { row: original, onChangedBody: 'keep' }), 'same')
    t.equal(await recordRepeat(db, { row: original, onChangedBody: 'redeliver' }), 'same')

    t.match(await stored(db), { repeats: 2, changed_bodies: 0, revision: 0 })
    t.same(await keptBodies(db), [first])
  })

  await t.test('keeps and flags another body, and leaves the delivery as it is', async (t) => {
    const { db } = await openTestDatabase(t)
    await insertDispatches(db, [original])

    const kind = await recordRepeat(db, { row: changed('two', { commerceId: 'C-2' }), onChangedBody: 'keep' })

    t.equal(kind, 'changed')
    t.match(await stored(db), { repeats: 1, changed_bodies: 1, revision: 0, body_no: 0, commerce_id: 'C-1042' })
    t.same(await keptBodies(db), [first, '1 two'])
    t.match(await db.selectFrom('jobs').selectAll().execute(), [{ revision: 0, commerce_id: 'C-1042' }])
  })

  await t.test('keeps another body once, however often it comes, and each of several', async (t) => {
    const { db } = await openTestDatabase(t)
    await insertDispatches(db, [original])
    const kinds: string[] = []

    for (const text of ['two', 'two', 'three', 'two', 'three']) {
      kinds.push(await recordRepeat(db, { row: changed(text), onChangedBody: 'keep' }))
    }

    t.same(kinds, ['changed', 'known', 'changed', 'known', 'known'])
    t.match(await stored(db), { repeats: 5, changed_bodies: 5 })
    t.same(
      (await keptBodies(db)).map((kept) => kept.slice(2)),
      [original.body.toString(), 'two', 'three'],
    )
  })

  await t.test('makes another body the next revision where the connection redelivers', async (t) => {
    const { db } = await openTestDatabase(t)
    await insertDispatches(db, [original])
    await sql`update dispatches set state = 'completed', delivered_at = now(), finished_at = now()`.execute(db)
    await db.deleteFrom('jobs').execute()
    const row = changed('two', {
      commerceId: 'C-2',
      operatorId: undefined,
      channel: 'CALLCENTER',
      type: 'MESSAGE',
      scheduledAt: '2026-06-01T09:00:00Z',
    })

    t.equal(await recordRepeat(db, { row, onChangedBody: 'redeliver' }), 'changed')

    t.match(await stored(db), {
      state: 'received',
      revision: 1,
      body_no: 1,
      finished_at: null,
      reason_code: null,
      commerce_id: 'C-2',
      operator_id: null,
      channel: 'CALLCENTER',
      type: 'MESSAGE',
      scheduled_at: new Date('2026-06-01T09:00:00Z'),
      body_sha256: Buffer.from(hash('sha256', row.body, 'hex'), 'hex'),
    })
    t.match(await db.selectFrom('jobs').selectAll().execute(), [
      { kind: 'deliver', dispatch_id: original.id, revision: 1, commerce_id: 'C-2', attempts: 0, leased_until: null },
    ])
  })

  await t.test('puts the first push in the place of what the list told, until a worker has begun', async (t) => {
    const { db } = await openTestDatabase(t)
    await insertDispatches(db, [{ ...original, origin: 'reconciled', operatorId: undefined }])
    const pushed = changed('pushed', { commerceId: 'C-2', operatorId: 'V-9' })

    t.equal(await recordRepeat(db, { row: pushed, onChangedBody: 'redeliver' }), 'changed')
    t.equal(await recordRepeat(db, { row: pushed, onChangedBody: 'redeliver' }), 'same')

    t.match(await stored(db), { body_no: 1, revision: 0, commerce_id: 'C-2', operator_id: 'V-9', origin: 'reconciled' })
    t.match(await db.selectFrom('jobs').selectAll().execute(), [{ revision: 0, commerce_id: 'C-2' }])
    t.equal(await recordRepeat(db, { row: changed('three'), onChangedBody: 'redeliver' }), 'changed')
    t.match(await stored(db), { body_no: 2, revision: 1 }, 'a change from then on is one')
  })

  await t.test(
    'keeps the first push of what is delivered from the list already, and delivers nothing twice',
    async (t) => {
      const { db } = await openTestDatabase(t)
      await addConnection(db)
      await insertDispatches(db, [{ ...original, origin: 'reconciled' }])
      await claimJobs(db, {
        kind: 'deliver',
        shares: [{ connection: 'acme', maxInFlight: 1, most: 1 }],
        worker: 'w',
        leaseSeconds: 60,
      })

      t.equal(await recordRepeat(db, { row: changed('pushed'), onChangedBody: 'redeliver' }), 'changed')

      t.match(await stored(db), { body_no: 0, revision: 0 })
      t.same(await keptBodies(db), [first, '1 pushed'])
      t.match(await db.selectFrom('jobs').selectAll().execute(), [{ revision: 0 }])
    },
  )

  await t.test('does not go back to a body it has had before', async (t) => {
    const { db } = await openTestDatabase(t)
    await insertDispatches(db, [original])
    await recordRepeat(db, { row: changed('two'), onChangedBody: 'redeliver' })

    const kinds = [
      await recordRepeat(db, { row: changed('two'), onChangedBody: 'redeliver' }),
      await recordRepeat(db, { row: original, onChangedBody: 'redeliver' }),
    ]

    t.same(kinds, ['same', 'known'])
    t.match(await stored(db), { revision: 1, body_no: 1 })
    t.equal((await db.selectFrom('jobs').selectAll().execute()).length, 1)
  })

  await t.test('frees a parked job for the next revision, with all its tries', async (t) => {
    const { db } = await openTestDatabase(t)
    await insertDispatches(db, [original])
    await sql`update jobs set parked_reason = 'timeout', attempts = 3, crashes = 2, due_at = now() + interval '1 day'`.execute(
      db,
    )

    await recordRepeat(db, { row: changed('two'), onChangedBody: 'redeliver' })

    const job = await db.selectFrom('jobs').selectAll().executeTakeFirstOrThrow()
    t.match(job, { revision: 1, parked_reason: null, attempts: 0, crashes: 0 })
    t.ok(job.due_at.getTime() <= Date.now() + 1_000)
  })

  await t.test('leaves the lease of a delivery under way alone', async (t) => {
    const { db } = await openTestDatabase(t)
    await addConnection(db)
    await insertDispatches(db, [original])
    const shares = [{ connection: 'acme', maxInFlight: 1 }]
    await claimJobs(db, { kind: 'deliver', shares, worker: 'w', leaseSeconds: 60 })

    await recordRepeat(db, { row: changed('two'), onChangedBody: 'redeliver' })

    t.match(await db.selectFrom('jobs').selectAll().execute(), [{ revision: 1, claimed_by: 'w', claim_no: 1 }])
  })

  await t.test('never makes due what is not for us', async (t) => {
    const { db } = await openTestDatabase(t)
    await insertDispatches(db, [{ ...original, channel: 'SMS', isForUs: false }])

    const kind = await recordRepeat(db, { row: changed('two', { isForUs: false }), onChangedBody: 'redeliver' })

    t.equal(kind, 'changed')
    t.match(await stored(db), { state: 'discarded', reason_code: 'not_for_us', revision: 0, changed_bodies: 1 })
    t.same(await keptBodies(db), [first, '1 two'])
    t.same(await db.selectFrom('jobs').selectAll().execute(), [])
  })

  await t.test('makes due what a changed body makes ours', async (t) => {
    const { db } = await openTestDatabase(t)
    await insertDispatches(db, [{ ...original, channel: 'SMS', isForUs: false }])

    await recordRepeat(db, { row: changed('two'), onChangedBody: 'redeliver' })

    t.match(await stored(db), { state: 'received', reason_code: null, finished_at: null, revision: 1 })
    t.equal((await db.selectFrom('jobs').selectAll().execute()).length, 1)
  })

  await t.test('never waits for a worker that settles the job while the worker waits for it', async (t) => {
    const { db, url } = await openTestDatabase(t)
    const { db: worker } = await openTestDatabase(t, url)
    await insertDispatches(db, [original])
    let repeat: Promise<unknown> = Promise.resolve()

    await worker.transaction().execute(async (tx) => {
      // The order in which a settlement takes its locks: the dispatch, then the job.
      await sql`update dispatches set provider_task_id = 't-1' where id = ${original.id}`.execute(tx)
      repeat = recordRepeat(db, { row: changed('two'), onChangedBody: 'redeliver' })
      await whenBlocked(db)
      await sql`select from jobs where dispatch_id = ${original.id} for update`.execute(tx)
    })

    t.equal(await repeat, 'changed')
    t.match(await stored(db), { provider_task_id: 't-1', revision: 1 })
  })

  await t.test('numbers different bodies of one dispatch that come at once apart', async (t) => {
    const { db, url } = await openTestDatabase(t)
    const { db: other } = await openTestDatabase(t, url)
    await insertDispatches(db, [original])

    const kinds = await Promise.all(
      ['two', 'three', 'two', 'three', 'four'].map((text, number) =>
        recordRepeat(number % 2 === 0 ? db : other, { row: changed(text), onChangedBody: 'keep' }),
      ),
    )

    t.equal(kinds.filter((kind) => kind === 'changed').length, 3)
    t.same((await keptBodies(db)).map((kept) => kept.slice(2)).sort(), [
      'four',
      'three',
      'two',
      original.body.toString(),
    ])
    t.match(await stored(db), { repeats: 5, changed_bodies: 5 })
  })
})
