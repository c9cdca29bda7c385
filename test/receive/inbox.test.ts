import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import { AppError } from '../../src/errors.ts'
import { createInbox } from '../../src/receive/inbox.ts'
import type { Inbox, InboxDeps } from '../../src/receive/inbox.ts'
import type { Db } from '../../src/store/database.ts'
import { insertDispatches } from '../../src/store/insert-dispatches.ts'
import { ensureDayPartitions } from '../../src/store/partitions.ts'
import { recordRepeat } from '../../src/store/record-repeat.ts'
import { newDispatch } from '../support/activities.ts'
import { until } from '../support/ledger.ts'
import { openTestDatabase } from '../support/open-test-database.ts'

interface InboxFixture {
  readonly inbox: Inbox
  readonly db: Db
  /** The activity ids of each statement that was run, in order. */
  readonly batches: string[][]
  /** Rows of each batch that was committed. */
  readonly observed: number[]
  readonly commits: () => number
}

/** An inbox on a database of its own; `replace` wraps steps of it. */
async function createFixture(
  t: Test,
  replace: (steps: InboxDeps, db: Db) => Partial<InboxDeps> = () => ({}),
): Promise<InboxFixture> {
  const { db } = await openTestDatabase(t)
  const batches: string[][] = []
  const observed: number[] = []
  let commits = 0
  const steps: InboxDeps = {
    insert: (rows) => {
      batches.push(rows.map((row) => row.activityId))
      return insertDispatches(db, rows)
    },
    recordRepeat: (repeat) => recordRepeat(db, repeat),
    ensurePartitions: () => ensureDayPartitions(db),
    onCommitted: () => {
      commits += 1
    },
    observeBatch: (rows) => observed.push(rows),
  }
  const inbox = createInbox({ ...steps, ...replace(steps, db) })
  t.teardown(() => inbox.close())
  return { inbox, db, batches, observed, commits: () => commits }
}

/** A gate for a step: who calls waits until it is opened. */
function createGate(): { readonly passed: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { passed: promise, open: resolve }
}

/** A statement that ends with an error of this code, raised by PostgreSQL itself. */
async function raise(db: Db, code: string): Promise<never> {
  await sql`do ${sql.lit(`begin raise exception using errcode = '${code}'; end`)}`.execute(db)
  throw new Error('unreachable: the statement above always fails')
}

const activityIds = async (db: Db): Promise<string[]> =>
  (await db.selectFrom('dispatches').select('activity_id').orderBy('seq').execute()).map((row) => row.activity_id)

const codeOf = (error: unknown): unknown => (error instanceof AppError ? error.code : error)

void t.test('submit', async (t) => {
  await t.test('answers a lone dispatch once it is committed', async (t) => {
    const { inbox, db, batches, commits } = await createFixture(t)

    t.equal(await inbox.submit(newDispatch('a'), 'keep'), 'new')

    t.same(await activityIds(db), ['a'])
    t.same([batches, commits()], [[['a']], 1])
  })

  await t.test('stores what comes in one turn of the event loop in one statement, in the order it came', async (t) => {
    const { inbox, db, batches } = await createFixture(t)
    const names = Array.from({ length: 20 }, (_, number) => `a-${number}`)

    const receipts = await Promise.all(names.map((name) => inbox.submit(newDispatch(name), 'keep')))

    t.ok(receipts.every((receipt) => receipt === 'new'))
    t.same(batches, [names])
    t.same(await activityIds(db), names)
  })

  await t.test('puts at most 64 dispatches into one statement and runs at most two at once', async (t) => {
    let running = 0
    let most = 0
    const { inbox, observed } = await createFixture(t, (steps) => ({
      insert: async (rows) => {
        running += 1
        most = Math.max(most, running)
        const inserted = await steps.insert(rows)
        running -= 1
        return inserted
      },
    }))

    await Promise.all(Array.from({ length: 500 }, (_, number) => inbox.submit(newDispatch(`a-${number}`), 'keep')))

    t.equal(
      observed.reduce((sum, rows) => sum + rows, 0),
      500,
    )
    t.equal(Math.max(...observed), 64)
    t.equal(most, 2)
  })

  await t.test('answers the first caller of an id with new and the others as repeats, within one batch', async (t) => {
    const { inbox, db, batches } = await createFixture(t)
    const other = newDispatch('a', { body: Buffer.from('other') })

    const receipts = await Promise.all([
      inbox.submit(newDispatch('a'), 'keep'),
      inbox.submit(newDispatch('a'), 'keep'),
      inbox.submit(other, 'keep'),
      inbox.submit(newDispatch('b'), 'keep'),
      inbox.submit(other, 'keep'),
    ])

    t.same(receipts, ['new', 'same', 'changed', 'new', 'known'])
    t.same(batches, [['a', 'b']])
    t.match(await db.selectFrom('dispatches').selectAll().orderBy('seq').execute(), [
      { activity_id: 'a', repeats: 3, changed_bodies: 2 },
      { activity_id: 'b', repeats: 0 },
    ])
  })

  await t.test('tells the workers after a commit that made something due, and after no other', async (t) => {
    const { inbox, commits } = await createFixture(t)
    await inbox.submit(newDispatch('a'), 'keep')

    await inbox.submit(newDispatch('a'), 'redeliver')
    t.equal(commits(), 1, 'the same body makes nothing due')
    await inbox.submit(newDispatch('a', { body: Buffer.from('two') }), 'keep')
    t.equal(commits(), 1, 'nor does another that is only kept')
    await inbox.submit(newDispatch('a', { body: Buffer.from('three') }), 'redeliver')
    t.equal(commits(), 2, 'but one that is delivered does')
  })

  await t.test('never lets a row the database refuses fail its neighbours, and keeps their order', async (t) => {
    const { inbox, db } = await createFixture(t)
    const names = Array.from({ length: 64 }, (_, number) => `a-${number}`)
    const bad = new Set(['a-0', 'a-17', 'a-18', 'a-63'])

    const answers = await Promise.allSettled(
      names.map((name) =>
        inbox.submit(newDispatch(name, bad.has(name) ? { scheduledAt: '0000-01-01T00:00:00Z' } : {}), 'keep'),
      ),
    )

    for (const [number, answer] of answers.entries()) {
      const name = names[number] ?? ''
      if (bad.has(name)) t.match(answer, { status: 'rejected', reason: { code: 'RCV_BODY_INVALID' } }, name)
      else t.match(answer, { status: 'fulfilled', value: 'new' }, name)
    }
    t.same(
      await activityIds(db),
      names.filter((name) => !bad.has(name)),
    )
  })

  await t.test('keeps callers of one id together when a batch is split', async (t) => {
    const { inbox, db } = await createFixture(t)
    const bad = { scheduledAt: '0000-01-01T00:00:00Z' }
    const other = { body: Buffer.from('other') }

    const answers = await Promise.allSettled([
      inbox.submit(newDispatch('twice'), 'keep'),
      inbox.submit(newDispatch('bad', bad), 'keep'),
      inbox.submit(newDispatch('twice'), 'keep'),
      inbox.submit(newDispatch('bad', bad), 'keep'),
      inbox.submit(newDispatch('twice', other), 'keep'),
      inbox.submit(newDispatch('good'), 'keep'),
    ])

    t.same(
      answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : codeOf(answer.reason))),
      ['new', 'RCV_BODY_INVALID', 'same', 'RCV_BODY_INVALID', 'changed', 'new'],
    )
    t.same(await activityIds(db), ['twice', 'good'])
  })

  await t.test('runs a statement again that met a deadlock', async (t) => {
    let runs = 0
    const { inbox, db } = await createFixture(t, (steps, db) => ({
      insert: (rows) => (++runs === 1 ? raise(db, '40P01') : steps.insert(rows)),
    }))

    t.equal(await inbox.submit(newDispatch('a'), 'keep'), 'new')

    t.same([runs, await activityIds(db)], [2, ['a']])
  })

  await t.test('runs the recording of a repeat again that met a deadlock', async (t) => {
    let runs = 0
    const { inbox } = await createFixture(t, (steps, db) => ({
      recordRepeat: (repeat) => (++runs === 1 ? raise(db, '40P01') : steps.recordRepeat(repeat)),
    }))
    await inbox.submit(newDispatch('a'), 'keep')

    t.equal(await inbox.submit(newDispatch('a'), 'keep'), 'same')
  })

  await t.test('makes the partition of today where it is missing', async (t) => {
    const { inbox, db } = await createFixture(t)
    await dropPartitions(db)

    t.equal(await inbox.submit(newDispatch('a'), 'keep'), 'new')

    t.same(await activityIds(db), ['a'])
  })

  await t.test('makes the partition of today for another body of an earlier day', async (t) => {
    const { inbox, db } = await createFixture(t)
    await inbox.submit(newDispatch('a'), 'keep')
    await dropPartitions(db)

    t.equal(await inbox.submit(newDispatch('a', { body: Buffer.from('two') }), 'keep'), 'changed')
  })

  await t.test('says that the database cannot be reached, and stores the repeat afterwards', async (t) => {
    const { inbox } = await createFixture(t, (steps, db) => {
      let runs = 0
      return { insert: (rows) => (++runs === 1 ? raise(db, '57P01') : steps.insert(rows)) }
    })

    const refusal: unknown = await inbox.submit(newDispatch('a'), 'keep').catch((error: unknown) => error)

    t.match(refusal, { code: 'RCV_DATABASE_UNAVAILABLE', statusCode: 503, retryAfterSeconds: 5 })
    t.equal(await inbox.submit(newDispatch('a'), 'keep'), 'new')
  })

  await t.test('answers the repeats of a batch at once when the database goes away', async (t) => {
    let asked = 0
    const { inbox } = await createFixture(t, (_steps, db) => ({
      recordRepeat: () => {
        asked += 1
        return raise(db, '57P01')
      },
    }))

    const answers = await Promise.allSettled(Array.from({ length: 10 }, () => inbox.submit(newDispatch('a'), 'keep')))

    t.match(answers[0], { status: 'fulfilled', value: 'new' })
    for (const answer of answers.slice(1)) t.match(answer, { reason: { code: 'RCV_DATABASE_UNAVAILABLE' } })
    t.equal(asked, 1, 'each further one would wait for its own time-out')
  })

  await t.test('tells all who wait at once when the database took long to be found away', async (t) => {
    let runs = 0
    const { inbox } = await createFixture(t, (steps, db) => ({
      insert: async (rows) => {
        runs += 1
        if (runs > 2) return steps.insert(rows)
        await sql`select pg_sleep(1.1)`.execute(db)
        return raise(db, '57P01')
      },
    }))

    const answers = await Promise.allSettled(
      Array.from({ length: 300 }, (_, number) => inbox.submit(newDispatch(`a-${number}`), 'keep')),
    )

    t.ok(answers.every((answer) => answer.status === 'rejected'))
    t.equal(runs, 2, 'the two that were under way')
    await new Promise(setImmediate)
    t.equal(await inbox.submit(newDispatch('later'), 'keep'), 'new')
  })

  await t.test('lets those who wait try when a connection ended and that was noticed at once', async (t) => {
    let runs = 0
    const { inbox } = await createFixture(t, (steps, db) => ({
      insert: (rows) => (++runs === 1 ? raise(db, '57P01') : steps.insert(rows)),
    }))

    const answers = await Promise.allSettled(
      Array.from({ length: 300 }, (_, number) => inbox.submit(newDispatch(`a-${number}`), 'keep')),
    )

    t.equal(answers.filter((answer) => answer.status === 'rejected').length, 64)
  })

  await t.test('calls a fault of ours what is neither the row nor the way to the database', async (t) => {
    const { inbox } = await createFixture(t, (_steps, db) => ({ insert: () => raise(db, '42P01') }))

    const refusal: unknown = await inbox.submit(newDispatch('a'), 'keep').catch((error: unknown) => error)

    t.equal(codeOf(refusal), 'RCV_INTERNAL')
  })

  await t.test('refuses beyond a thousand that wait, and takes again once they are stored', async (t) => {
    const gate = createGate()
    const { inbox, db } = await createFixture(t, (steps) => ({
      insert: async (rows) => {
        await gate.passed
        return steps.insert(rows)
      },
    }))
    const submitted = Array.from({ length: 1_000 }, (_, number) => inbox.submit(newDispatch(`a-${number}`), 'keep'))

    const refusal: unknown = await inbox.submit(newDispatch('late'), 'keep').catch((error: unknown) => error)
    t.match(refusal, { code: 'RCV_OVERLOADED', statusCode: 503, retryAfterSeconds: 1 })

    gate.open()
    await Promise.all(submitted)
    t.equal(await inbox.submit(newDispatch('late'), 'keep'), 'new')
    t.equal((await activityIds(db)).length, 1_001)
  })

  await t.test('refuses bodies beyond what memory should hold, those of a batch under way included', async (t) => {
    const gate = createGate()
    const { inbox } = await createFixture(t, (_steps, db) => ({
      insert: async () => {
        await gate.passed
        return raise(db, '57P01')
      },
    }))
    const body = Buffer.alloc(8 * 1024 * 1024)
    const submit = (name: string): Promise<unknown> => inbox.submit(newDispatch(name, { body }), 'keep').catch(codeOf)

    const answers = Array.from({ length: 20 }, (_, number) => submit(`a-${number}`))
    const refusal = await answers.at(-1)
    gate.open()

    t.equal(refusal, 'RCV_OVERLOADED', 'long before 160 MiB')
    t.equal(await answers[0], 'RCV_DATABASE_UNAVAILABLE', 'what was admitted is answered')
    await Promise.all(answers)
    await new Promise(setImmediate)
    t.equal(await submit('later'), 'RCV_DATABASE_UNAVAILABLE', 'and makes room')
  })
})

void t.test('close', async (t) => {
  await t.test('stores and answers what was admitted, and admits nothing more', async (t) => {
    const gate = createGate()
    const { inbox, db } = await createFixture(t, (steps) => ({
      insert: async (rows) => {
        await gate.passed
        return steps.insert(rows)
      },
    }))
    const submitted = Array.from({ length: 200 }, (_, number) => inbox.submit(newDispatch(`a-${number}`), 'keep'))
    let isClosed = false

    const closing = inbox.close().then(() => {
      isClosed = true
    })
    const refusal: unknown = await inbox.submit(newDispatch('late'), 'keep').catch((error: unknown) => error)
    t.match(refusal, { code: 'RCV_STOPPING', statusCode: 503, retryAfterSeconds: 1 })
    t.notOk(isClosed, 'while something is under way')
    gate.open()
    await closing

    t.ok((await Promise.all(submitted)).every((receipt) => receipt === 'new'))
    t.equal((await activityIds(db)).length, 200)
  })

  await t.test('waits for repeats that are being recorded', async (t) => {
    const gate = createGate()
    const reached = createGate()
    const { inbox } = await createFixture(t, (steps) => ({
      recordRepeat: async (repeat) => {
        reached.open()
        await gate.passed
        return steps.recordRepeat(repeat)
      },
    }))
    await inbox.submit(newDispatch('a'), 'keep')
    const repeated = inbox.submit(newDispatch('a'), 'keep')
    await reached.passed

    const closing = inbox.close()
    gate.open()

    t.equal(await repeated, 'same')
    await closing
  })

  await t.test('may be asked for twice', async (t) => {
    const { inbox } = await createFixture(t)
    const submitted = inbox.submit(newDispatch('a'), 'keep')

    await Promise.all([inbox.close(), inbox.close()])

    t.equal(await submitted, 'new')
    await inbox.close()
  })
})

void t.test('a database that says nothing', async (t) => {
  /** An inbox whose statements get nowhere until the gate is opened. */
  const createStalled = async (t: Test, flushPatienceMs: number) => {
    const gate = createGate()
    const fixture = await createFixture(t, (steps) => ({
      flushPatienceMs,
      insert: async (rows) => {
        await gate.passed
        return steps.insert(rows)
      },
    }))
    const submit = (name: string): Promise<unknown> =>
      fixture.inbox.submit(newDispatch(name), 'keep').catch((error: unknown) => error)
    return { ...fixture, gate, submit }
  }
  const REFUSED = { code: 'RCV_DATABASE_UNAVAILABLE', statusCode: 503, retryAfterSeconds: 5 }

  await t.test('keeps nobody waiting: neither who is being stored, nor who waits, nor who comes', async (t) => {
    const { inbox, gate, submit } = await createStalled(t, 20)
    const names = Array.from({ length: 200 }, (_, number) => `a-${number}`)
    t.equal(inbox.fault(), undefined)

    const answers = await Promise.all(names.map(submit))

    t.equal(answers.length, 200)
    for (const answer of answers) t.match(answer, REFUSED)
    t.equal(inbox.fault(), 'the database does not answer')
    const soon = new Promise((resolve) => setImmediate(() => resolve('it waits')))
    t.match(await Promise.race([submit('late'), soon]), REFUSED)
    gate.open()
    await inbox.close()
  })

  await t.test('is used again as soon as it answers, and what it stored after all is a repeat', async (t) => {
    const { inbox, gate, submit, db } = await createStalled(t, 20)
    await Promise.all([submit('a'), new Promise((resolve) => setImmediate(resolve)).then(() => submit('b'))])

    gate.open()
    await until(async () => inbox.fault() === undefined && (await activityIds(db)).length === 2)

    t.strictSame([await submit('a'), await submit('b'), await submit('c')], ['same', 'same', 'new'])
  })
})

async function dropPartitions(db: Db): Promise<void> {
  const { rows } = await sql<{ child: string }>`
    select inhrelid::regclass::text as child from pg_inherits
    where inhparent in ('dispatch_bodies'::regclass, 'attempts'::regclass)`.execute(db)
  for (const { child } of rows) await sql`drop table ${sql.table(child)}`.execute(db)
}
