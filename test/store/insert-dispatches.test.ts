import { createHash, randomBytes } from 'node:crypto'
import t from 'tap'
import type { Db } from '../../src/store/database.ts'
import { isDataError } from '../../src/store/database-errors.ts'
import { insertDispatches } from '../../src/store/insert-dispatches.ts'
import { newDispatch } from '../support/activities.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

const bodies = (db: Db) => db.selectFrom('dispatch_bodies').selectAll().orderBy('received_at').execute()
const ledger = (db: Db) => db.selectFrom('dispatches').selectAll().orderBy('seq').execute()
const jobs = (db: Db) => db.selectFrom('jobs').selectAll().orderBy('id').execute()

void t.test('insertDispatches', async (t) => {
  await t.test('stores ledger row, body and deliver job of a dispatch', async (t) => {
    const { db } = await openTestDatabase(t)
    const row = newDispatch('a-1', {
      operatorId: 'V-17',
      scheduledAt: '2026-05-04T13:00:00.000Z',
      headers: { 'user-agent': 'reten "1" \\ \u0001', 'content-type': 'application/json' },
    })

    const inserted = await insertDispatches(db, [row])

    t.same([...inserted], [row.id])
    const [stored] = await ledger(db)
    t.match(stored, {
      id: row.id,
      connection: 'acme',
      activity_id: 'a-1',
      type: 'TASK',
      channel: 'SALESMAN',
      commerce_id: 'C-1042',
      operator_id: 'V-17',
      state: 'received',
      reason_code: null,
      origin: 'pushed',
      revision: 0,
      repeats: 0,
      changed_bodies: 0,
      body_no: 0,
      finished_at: null,
      delivered_at: null,
    })
    t.equal(stored?.scheduled_at?.toISOString(), '2026-05-04T13:00:00.000Z')
    const sha256 = createHash('sha256').update(row.body).digest()
    t.ok(stored?.body_sha256.equals(sha256))
    const [body] = await bodies(db)
    t.match(body, { dispatch_id: row.id, body_no: 0, day: stored?.body_day, headers: row.headers })
    t.ok(body?.body.equals(row.body) && body.sha256.equals(sha256))
    t.match(await jobs(db), [
      {
        kind: 'deliver',
        connection: 'acme',
        dispatch_id: row.id,
        commerce_id: 'C-1042',
        seq: stored?.seq,
        revision: 0,
        attempts: 0,
        crashes: 0,
        claim_no: 0,
        leased_until: null,
        parked_reason: null,
      },
    ])
  })

  await t.test('keeps any bytes as they are, side by side in one statement', async (t) => {
    const { db } = await openTestDatabase(t)
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const contents = [every, Buffer.alloc(0), Buffer.from('\\x00\\\\'), randomBytes(1_048_576), Buffer.from([0]), every]

    await insertDispatches(
      db,
      contents.map((body, number) => newDispatch(`a-${number}`, { body })),
    )

    for (const [number, body] of contents.entries()) {
      const { id } = newDispatch(`a-${number}`)
      const kept = await db.selectFrom('dispatch_bodies').select('body').where('dispatch_id', '=', id).execute()
      t.ok(kept.length === 1 && kept[0]?.body.equals(body), `body ${number}`)
    }
  })

  await t.test('numbers dispatches in the order they are given, whatever their ids', async (t) => {
    const { db } = await openTestDatabase(t)
    const names = Array.from({ length: 64 }, (_, number) => `a-${number}`)

    await insertDispatches(
      db,
      names.map((name) => newDispatch(name)),
    )

    t.same(
      (await ledger(db)).map((row) => row.activity_id),
      names,
    )
    const claimOrder = await db
      .selectFrom('jobs as j')
      .innerJoin('dispatches as d', 'd.id', 'j.dispatch_id')
      .select('d.activity_id')
      .orderBy('j.due_at')
      .orderBy('j.id')
      .execute()
    t.same(
      claimOrder.map((row) => row.activity_id),
      names,
      'which is also the order the jobs are claimed in',
    )
  })

  await t.test('leaves what is there alone and answers the new ones only', async (t) => {
    const { db } = await openTestDatabase(t)
    const old = newDispatch('old')
    await insertDispatches(db, [old])
    const fresh = newDispatch('fresh')

    const inserted = await insertDispatches(db, [{ ...old, body: Buffer.from('other'), commerceId: 'other' }, fresh])

    t.same([...inserted], [fresh.id])
    t.match(await ledger(db), [{ activity_id: 'old', commerce_id: 'C-1042' }, { activity_id: 'fresh' }])
    t.equal((await bodies(db)).length, 2)
    t.equal((await jobs(db)).length, 2)
  })

  await t.test('stores and marks what is not for us, without a job', async (t) => {
    const { db } = await openTestDatabase(t)

    await insertDispatches(db, [newDispatch('sms', { channel: 'SMS', isForUs: false }), newDispatch('task')])

    const [sms, task] = await ledger(db)
    t.match(sms, { state: 'discarded', reason_code: 'not_for_us', finished_at: Date })
    t.match(task, { state: 'received', reason_code: null, finished_at: null })
    t.match(await jobs(db), [{ dispatch_id: task?.id }])
    t.equal((await bodies(db)).length, 2)
  })

  await t.test('stores all or nothing', async (t) => {
    const { db } = await openTestDatabase(t)
    const bad = newDispatch('bad', { scheduledAt: '0000-01-01T00:00:00Z' })

    const refusal: unknown = await insertDispatches(db, [newDispatch('good'), bad]).catch((error: unknown) => error)

    t.ok(isDataError(refusal))
    t.same([await ledger(db), await bodies(db), await jobs(db)], [[], [], []])
  })

  await t.test(
    'makes each id new for exactly one of two instances that insert it at once, in opposite orders',
    async (t) => {
      const { db, url } = await openTestDatabase(t)
      const { db: other } = await openTestDatabase(t, url)
      const rounds = 10

      for (let round = 0; round < rounds; round += 1) {
        const rows = Array.from({ length: 64 }, (_, number) => newDispatch(`a-${round}-${number}`))

        const [mine, theirs] = await Promise.all([
          insertDispatches(db, rows),
          insertDispatches(other, rows.toReversed()),
        ])

        t.equal(mine.size + theirs.size, 64)
        t.equal(mine.union(theirs).size, 64)
      }
      t.equal((await jobs(db)).length, 64 * rounds)
      t.equal((await bodies(db)).length, 64 * rounds)
    },
  )
})
