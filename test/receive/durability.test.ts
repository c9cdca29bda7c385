// Acknowledged means committed, once, whatever happens at the same time.
import { sql } from 'kysely'
import t from 'tap'
import type { Db } from '../../src/store/database.ts'
import { activity } from '../support/activities.ts'
import { openBreakableWay } from '../support/breakable-way.ts'
import { addConnection } from '../support/connections.ts'
import { openTestDatabase } from '../support/open-test-database.ts'
import { createReceiver } from '../support/receive-app.ts'

const ledger = (db: Db) => db.selectFrom('dispatches').selectAll().orderBy('seq').execute()
const jobs = (db: Db) => db.selectFrom('jobs').selectAll().orderBy('id').execute()

/** The stored current body of a dispatch, or undefined. */
async function bodyOf(db: Db, id: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('dispatch_bodies')
    .select('body')
    .where('dispatch_id', '=', id)
    .where('body_no', '=', 0)
    .executeTakeFirst()
  return row?.body.toString()
}

void t.test('concurrent requests', async (t) => {
  await t.test('are durable when they are answered, each with its own body and one job', async (t) => {
    const { db, push } = await createReceiver(t)
    const bodies = Array.from({ length: 120 }, (_, number) =>
      JSON.stringify(activity(`a-${number}`, { score: number, pad: 'x'.repeat(number * 7) })),
    )

    await Promise.all(
      bodies.map(async (body) => {
        const answer = await push(body)
        t.equal(answer.statusCode, 201)
        t.equal(await bodyOf(db, answer.json().id), body, 'stands when the answer is there')
      }),
    )

    const dispatchIds = (await jobs(db)).map((job) => job.dispatch_id)
    t.equal(dispatchIds.length, 120)
    t.same(new Set(dispatchIds), new Set((await ledger(db)).map((row) => row.id)))
  })

  await t.test('are numbered in the order they came, as far as one statement takes them', async (t) => {
    const { db, push } = await createReceiver(t)
    const names = Array.from({ length: 60 }, (_, number) => `a-${number}`)

    await Promise.all(names.map((name) => push(activity(name))))
    await push(activity('later'))

    t.same(
      (await ledger(db)).map((row) => row.activity_id),
      [...names, 'later'],
    )
  })
})

void t.test('repeats', async (t) => {
  await t.test('get 200 and the same id, whatever the spelling of a UUID', async (t) => {
    const { db, push } = await createReceiver(t)
    const id = '0b6f7f0e-3c1a-4f7e-9f55-6a2f1f6f0a11'

    const first = await push(activity(id))
    const repeats = [await push(activity(id)), await push(activity(id.toUpperCase()))]

    t.equal(first.statusCode, 201)
    for (const repeat of repeats) {
      t.equal(repeat.statusCode, 200)
      t.equal(repeat.json().id, first.json().id)
    }
    t.equal(repeats[1]?.json().activityId, id.toUpperCase(), 'as it was sent')
    t.match(await ledger(db), [{ repeats: 2, changed_bodies: 1 }])
    t.equal((await jobs(db)).length, 1)
  })

  await t.test('that come at once get one 201, the others 200, and one job', async (t) => {
    const { db, push } = await createReceiver(t)

    const answers = await Promise.all(Array.from({ length: 50 }, () => push(activity('same'))))

    t.same(answers.map((answer) => answer.statusCode).toSorted(byNumber), [...Array(49).fill(200), 201])
    t.equal(new Set(answers.map((answer) => answer.json().id)).size, 1)
    t.match(await ledger(db), [{ repeats: 49 }])
    t.equal((await jobs(db)).length, 1)
  })

  await t.test('at two instances, in opposite orders, get one 201 for each id between them', async (t) => {
    const one = await createReceiver(t)
    const other = await createReceiver(t, { url: one.url })
    const names = Array.from({ length: 100 }, (_, number) => `a-${number}`)

    const [first, second] = await Promise.all([
      Promise.all(names.map((name) => one.push(activity(name)))),
      Promise.all(names.toReversed().map((name) => other.push(activity(name)))),
    ])

    const codes = [...first, ...second].map((answer) => answer.statusCode)
    t.equal(codes.filter((code) => code === 201).length, 100)
    t.equal(codes.filter((code) => code === 200).length, 100)
    for (const [number, answer] of first.entries()) {
      t.equal(answer.json().id, second.at(-1 - number)?.json().id)
    }
    t.equal((await jobs(one.db)).length, 100)
  })

  await t.test('of one id over two connections are two dispatches', async (t) => {
    const { db, push } = await createReceiver(t)
    await addConnection(db, { name: 'other', key: 'a-key-of-other-0123456789' })

    const answers = [await push(activity('a')), await push(activity('a'), { 'x-api-key': 'a-key-of-other-0123456789' })]

    t.same(
      answers.map((answer) => answer.statusCode),
      [201, 201],
    )
    t.not(answers[0]?.json().id, answers[1]?.json().id)
  })
})

void t.test('a changed body', async (t) => {
  await t.test('gets 200 and the same id, is kept once and flagged, and is not delivered', async (t) => {
    const { db, push, metrics } = await createReceiver(t)
    const first = await push(activity('a', { score: 1 }))

    const answers = [await push(activity('a', { score: 2 })), await push(activity('a', { score: 2 }))]

    for (const answer of answers) {
      t.equal(answer.statusCode, 200)
      t.equal(answer.json().id, first.json().id)
    }
    t.match(await ledger(db), [{ repeats: 2, changed_bodies: 2, revision: 0, body_no: 0 }])
    t.equal((await db.selectFrom('dispatch_bodies').selectAll().execute()).length, 2)
    t.match(await jobs(db), [{ revision: 0 }])
    t.match(await metrics.expose(), /duplicates_total\{kind="conflict"\} 2/)
  })

  await t.test('becomes the next revision where the connection redelivers', async (t) => {
    const { db, push } = await createReceiver(t, { settings: { on_changed_body: 'redeliver' } })
    await push(activity('a', { score: 1 }))

    const answers = [await push(activity('a', { score: 2 })), await push(activity('a', { score: 2 }))]

    t.same(
      answers.map((answer) => answer.statusCode),
      [200, 200],
    )
    t.match(await ledger(db), [{ revision: 1, body_no: 1, state: 'received' }])
    t.match(await jobs(db), [{ revision: 1 }])
  })
})

void t.test('a row the database refuses', async (t) => {
  await t.test('is quarantined, and its neighbours are stored', async (t) => {
    const { db, push } = await createReceiver(t)

    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, number) =>
        push(activity(`a-${number}`, number % 10 === 3 ? { scheduledAt: '0000-05-04T13:00:00Z' } : {})),
      ),
    )

    t.same(
      answers.map((answer) => answer.statusCode),
      Array.from({ length: 40 }, (_, number) => (number % 10 === 3 ? 202 : 201)),
    )
    t.equal((await ledger(db)).length, 36)
    t.equal((await db.selectFrom('quarantine').selectAll().execute()).length, 4)
  })
})

void t.test('without the partition of today', async (t) => {
  await t.test('makes it and stores the dispatch', async (t) => {
    const { db, push } = await createReceiver(t)
    const { rows } = await sql<{ child: string }>`
      select inhrelid::regclass::text as child from pg_inherits where inhparent = 'dispatch_bodies'::regclass`.execute(
      db,
    )
    for (const { child } of rows) await sql`drop table ${sql.table(child)}`.execute(db)

    const answers = await Promise.all(['a', 'b', 'c'].map((name) => push(activity(name))))

    t.ok(answers.every((answer) => answer.statusCode === 201))
    t.equal((await db.selectFrom('dispatch_bodies').selectAll().execute()).length, 3)
  })
})

void t.test('when the database goes away', async (t) => {
  const later = { statusCode: 503, code: 'RCV_DATABASE_UNAVAILABLE' }

  await t.test('answers 503 with Retry-After, and 201 to the repeat once it is back', async (t) => {
    const { db, url } = await openTestDatabase(t)
    await addConnection(db)
    const way = await openBreakableWay(t, url)
    const { push } = await createReceiver(t, { url: way.url })
    way.close()

    const answers = await Promise.all(['a', 'b', 'c'].map((name) => push(activity(name))))
    for (const answer of answers) {
      t.match(answer.json(), later)
      t.equal(answer.headers['retry-after'], '5')
    }

    way.restore()
    t.equal((await push(activity('a'))).statusCode, 201)
    t.equal((await ledger(db)).length, 1)
  })

  await t.test('answers 503 where the commit came through and its answer did not, and 200 to the repeat', async (t) => {
    const { db, url } = await openTestDatabase(t)
    await addConnection(db)
    const way = await openBreakableWay(t, url)
    const { push } = await createReceiver(t, { url: way.url })
    t.equal((await push(activity('before'))).statusCode, 201)

    way.swallowAnswers()
    const answered = push(activity('a'))
    while ((await ledger(db)).length < 2);
    way.cut()
    t.match((await answered).json(), later)

    way.restore()
    const repeat = await push(activity('a'))
    t.equal(repeat.statusCode, 200)
    t.equal((await jobs(db)).length, 2)
  })

  await t.test('answers 503 for what it would quarantine, and keeps it once it is back', async (t) => {
    const { db, url } = await openTestDatabase(t)
    await addConnection(db)
    const way = await openBreakableWay(t, url)
    const { push } = await createReceiver(t, { url: way.url })
    way.close()

    for (const body of ['{', '{"id":"a"}']) t.match((await push(body)).json(), later)

    way.restore()
    t.same([(await push('{')).statusCode, (await push('{"id":"a"}')).statusCode], [400, 202])
    t.equal((await db.selectFrom('quarantine').selectAll().execute()).length, 2)
  })

  await t.test('does not call a key wrong that it cannot look up', async (t) => {
    const { db, url } = await openTestDatabase(t)
    await addConnection(db)
    const way = await openBreakableWay(t, url)
    const { push } = await createReceiver(t, { url: way.url })
    way.close()

    const answer = await push(activity('a'), { 'x-api-key': 'a-key-added-meanwhile' })

    t.match(answer.json(), later)
    t.equal(answer.headers['retry-after'], '5')
  })
})

void t.test('when too many wait', async (t) => {
  await t.test('answers 503 with Retry-After, and stores what it admitted', async (t) => {
    const { promise: opened, resolve: open } = Promise.withResolvers<void>()
    const { db, push } = await createReceiver(t, {
      inbox: (steps) => ({
        insert: async (rows) => {
          await opened
          return steps.insert(rows)
        },
      }),
    })
    const { promise: refused, resolve: refuse } = Promise.withResolvers<void>()

    const pushes = Array.from({ length: 1_200 }, async (_, number) => {
      const answer = await push({ id: `a-${number}`, commerceExternalId: 'C' })
      if (answer.statusCode === 503) refuse()
      return answer
    })
    await refused
    open()
    const answers = await Promise.all(pushes)

    const busy = answers.filter((answer) => answer.statusCode === 503)
    t.match(busy[0]?.json(), { code: 'RCV_OVERLOADED' })
    t.ok(busy.every((answer) => answer.headers['retry-after'] === '1'))
    t.equal((await ledger(db)).length, 1_200 - busy.length)
  })
})

void t.test('when it closes', async (t) => {
  await t.test('stores and answers what it admitted', async (t) => {
    const { promise: opened, resolve: open } = Promise.withResolvers<void>()
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
    const { app, db, inbox, push } = await createReceiver(t, {
      inbox: (steps) => ({
        insert: async (rows) => {
          reach()
          await opened
          return steps.insert(rows)
        },
      }),
    })
    const pushes = Array.from({ length: 150 }, (_, number) => push(activity(`a-${number}`)))
    await reached

    const closing = app.close().then(() => inbox.close())
    open()

    t.ok((await Promise.all(pushes)).every((answer) => answer.statusCode === 201))
    await closing
    t.equal((await ledger(db)).length, 150)
  })
})

function byNumber(one: number, other: number): number {
  return one - other
}
