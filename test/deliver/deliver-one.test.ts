import { sql } from 'kysely'
import t from 'tap'
import { BreakerOpen } from '../../src/breakers.ts'
import type { LookupOutcome } from '../../src/deliver/adapters/adapter.ts'
import type { Outcome } from '../../src/dispatch/outcome.ts'
import { rescueJobs } from '../../src/store/rescue-jobs.ts'
import {
  buildResult,
  claimOne,
  deliver,
  expireLeases,
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
import type { Story, StoryPattern } from '../support/ledger.ts'
import { setUp, untilGivenUp } from './delivery-fixture.ts'

const { db } = await openLedger(t)

const said = { code: 'http_503', message: 'busy' }
const ACCEPTED: Outcome = { kind: 'accepted', providerTaskId: 'T-1' }
const RETRY = { kind: 'retry', ...said } as const
const AMBIGUOUS: Outcome = { kind: 'ambiguous', code: 'timeout', message: 'no answer' }
const REJECTED: Outcome = { kind: 'rejected', code: 'http_422', message: 'no such commerce' }
const THROTTLED: Outcome = { kind: 'throttled', code: 'http_429', message: 'slower' }
const UNAUTHORIZED: Outcome = { kind: 'unauthorized', code: 'http_401', message: 'who are you' }

const FOUND: LookupOutcome = { kind: 'accepted', providerTaskId: 'T-9' }
const ABSENT: LookupOutcome = { kind: 'retry', code: 'not_found', message: 'no such task' }
const UNDECIDED: LookupOutcome = { kind: 'ambiguous', code: 'lookup_http_500', message: 'no list' }

async function dueIn(story: Story): Promise<number> {
  return Math.round(await secondsUntil(db, story.job?.due_at ?? new Date(Number.NaN)))
}

/** The job of a delivery whose worker died in the middle. */
async function storeWithUnknownFate(): Promise<string> {
  const id = await storeDispatch(db)
  await claimOne(db)
  await expireLeases(db)
  await rescueJobs(db)
  return id
}

/** One outcome, and everything that is stored because of it. */
const TABLE: readonly (readonly [sentence: string, outcome: Outcome, story: StoryPattern])[] = [
  [
    'accepted is delivered',
    ACCEPTED,
    {
      dispatch: { state: 'delivered', provider_task_id: 'T-1', reason_code: null, finished_at: null },
      job: undefined,
      attempts: [{ outcome: 'accepted', error_code: null }],
      results: [],
    },
  ],
  [
    'accepted with a result is delivered and due for Reten',
    { ...ACCEPTED, result: buildResult() },
    {
      dispatch: { state: 'delivered' },
      job: undefined,
      attempts: [{ outcome: 'accepted' }],
      results: [{ state: 'pending', source: 'adapter' }],
      reports: [{ attempts: 0 }],
    },
  ],
  [
    'retry waits and is counted',
    RETRY,
    {
      dispatch: { state: 'received' },
      job: { attempts: 1, is_fate_unknown: false, leased_until: null },
      attempts: [{ outcome: 'retry', error_code: 'http_503', error_message: 'busy' }],
    },
  ],
  [
    'throttled waits and is not counted',
    THROTTLED,
    { dispatch: { state: 'received' }, job: { attempts: 0 }, attempts: [{ outcome: 'throttled' }] },
  ],
  [
    'rejected fails',
    REJECTED,
    {
      dispatch: { state: 'failed', reason_code: 'http_422', finished_at: Date },
      job: undefined,
      attempts: [{ outcome: 'rejected', error_message: 'no such commerce' }],
    },
  ],
  [
    'ambiguous waits in doubt and is counted',
    AMBIGUOUS,
    {
      dispatch: { state: 'received' },
      job: { attempts: 1, is_fate_unknown: true },
      attempts: [{ outcome: 'ambiguous' }],
    },
  ],
  [
    'unauthorized waits and is not counted',
    UNAUTHORIZED,
    { dispatch: { state: 'received' }, job: { attempts: 0 }, attempts: [{ outcome: 'unauthorized' }] },
  ],
]

t.test('deliverOne', async (t) => {
  for (const [sentence, outcome, story] of TABLE) {
    t.test(sentence, async (t) => {
      const id = await storeDispatch(db)

      await setUp(db, { deliver: () => outcome }).run()

      tells(t, await readStory(db, id), story)
    })
  }

  t.test('hands the adapter the activity, the body and the key', async (t) => {
    const id = await storeDispatch(db)
    let seen: unknown
    const bench = setUp(db, {
      deliver: (command) => {
        seen = command
        return ACCEPTED
      },
    })

    await bench.run()

    t.match(seen, {
      connection: 'acme',
      dispatchId: id,
      idempotencyKey: id,
      activity: { activityId: 'A-1', type: 'TASK', commerceExternalId: 'C-1' },
      body: { id: 'A-1', commerce: { externalId: 'C-1' } },
    })
  })

  t.test('keeps what went over the wire', async (t) => {
    const id = await storeDispatch(db)
    const exchange = { status: 422, request: 'POST /tasks', response: '{"error":"no"}' }

    await setUp(db, { deliver: () => ({ ...REJECTED, exchange }) }).run()

    t.match((await readStory(db, id)).attempts, [
      { http_status: 422, request_excerpt: 'POST /tasks', response_excerpt: '{"error":"no"}', worker: 'worker-a' },
    ])
  })

  t.test('waits as long as the steps say, and then gives up', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, { deliver: () => RETRY })
    const waits: unknown[] = []

    for (let tries = 0; tries < 3; tries += 1) {
      await bench.run()
      const story = await readStory(db, id)
      waits.push(story.job === undefined ? story.dispatch.reason_code : await dueIn(story))
      await makeAllDue(db)
    }

    t.strictSame(waits, [20, 30, 'gave_up'])
    tells(t, await readStory(db, id), {
      dispatch: { state: 'failed' },
      attempts: [{ number: 1 }, { number: 2 }, { number: 3 }],
    })
  })

  t.test('parks what it has to give up in doubt', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, { deliver: () => AMBIGUOUS, settings: { retry_delays: [20] } })

    await bench.run()
    await makeAllDue(db)
    await bench.run()

    tells(t, await readStory(db, id), { dispatch: { state: 'received' }, job: { parked_reason: 'fate_unknown' } })
  })

  for (const [name, outcome] of Object.entries({ retry: RETRY, throttled: THROTTLED, unauthorized: UNAUTHORIZED })) {
    t.test(`does not forget a doubt because of an answer that is ${name}`, async (t) => {
      const id = await storeWithUnknownFate()

      await setUp(db, { deliver: () => outcome }).run()

      t.match((await readStory(db, id)).job, { is_fate_unknown: true })
    })
  }

  t.test('repeats a lost answer under the same key where the provider knows it', async (t) => {
    const id = await storeDispatch(db)
    const answers: Outcome[] = [AMBIGUOUS, ACCEPTED]
    const bench = setUp(db, { deliver: () => answers.shift() ?? REJECTED })

    await bench.run()
    await makeAllDue(db)
    await bench.run()

    t.strictSame(bench.adapter.calls, [
      { what: 'deliver', key: id },
      { what: 'deliver', key: id },
    ])
    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, job: undefined })
  })

  t.test('searches for a lost answer before it repeats, and repeats nothing that is found', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, { idempotency: 'lookup', deliver: () => AMBIGUOUS, lookup: () => FOUND })

    await bench.run()
    await makeAllDue(db)
    await bench.run()

    t.strictSame(
      bench.adapter.calls.map((call) => call.what),
      ['deliver', 'lookup'],
    )
    t.match((await readStory(db, id)).dispatch, { state: 'delivered', provider_task_id: 'T-9' })
  })

  t.test('repeats what a search says is surely not there, and doubts no longer', async (t) => {
    const id = await storeWithUnknownFate()
    const bench = setUp(db, { idempotency: 'lookup', deliver: () => RETRY, lookup: () => ABSENT })

    await bench.run()

    t.strictSame(
      bench.adapter.calls.map((call) => call.what),
      ['lookup', 'deliver'],
    )
    t.match((await readStory(db, id)).job, { is_fate_unknown: false, attempts: 1 })
  })

  t.test('repeats nothing while a search cannot tell', async (t) => {
    const id = await storeWithUnknownFate()
    const bench = setUp(db, { idempotency: 'lookup', deliver: () => ACCEPTED, lookup: () => UNDECIDED })

    await bench.run()

    t.strictSame(
      bench.adapter.calls.map((call) => call.what),
      ['lookup'],
    )
    t.match((await readStory(db, id)).job, { is_fate_unknown: true, attempts: 1 })
  })

  t.test(
    'repeats nothing where a search that found no answer says "later", as an adapter of anybody’s may',
    async (t) => {
      const id = await storeWithUnknownFate()
      const bench = setUp(db, { idempotency: 'lookup', deliver: () => ACCEPTED, lookup: () => RETRY })

      await bench.run()

      t.strictSame(
        bench.adapter.calls.map((call) => call.what),
        ['lookup'],
      )
      t.match((await readStory(db, id)).job, { is_fate_unknown: true, attempts: 1 })
    },
  )

  t.test('parks a lost answer where the provider can neither recognise nor find it', async (t) => {
    const id = await storeDispatch(db)

    await setUp(db, { idempotency: 'none', deliver: () => AMBIGUOUS }).run()

    t.match((await readStory(db, id)).job, { parked_reason: 'timeout', is_fate_unknown: true })
  })

  t.test('parks what a dead worker may have done there, without calling anybody', async (t) => {
    const id = await storeWithUnknownFate()
    const bench = setUp(db, { idempotency: 'none', deliver: () => ACCEPTED })

    await bench.run()

    t.strictSame(bench.adapter.calls, [])
    t.match((await readStory(db, id)).job, { parked_reason: 'fate_unknown' })
  })

  t.test('pauses the connection whose credentials are not good, and writes it down', async (t) => {
    await storeDispatch(db)
    const bench = setUp(db, { deliver: () => UNAUTHORIZED })

    await bench.run()

    t.match(await db.selectFrom('connections').selectAll().execute(), [
      { state: 'paused', state_reason: 'who are you' },
    ])
    matchList(t, await db.selectFrom('audit_log').selectAll().execute(), [
      { actor: 'worker-a', action: 'connection.paused', target: 'acme', reason: 'who are you' },
    ])
    t.strictSame(bench.told, ['connection changed'])
    t.ok(bench.lines.some((line) => line['event'] === 'connection.paused'))
  })

  t.test('pauses with a reason that holds what PostgreSQL cannot', async (t) => {
    const id = await storeDispatch(db)

    await setUp(db, { deliver: () => ({ ...UNAUTHORIZED, message: 'a\u0000b' }) }).run()

    t.match(await db.selectFrom('connections').selectAll().execute(), [{ state_reason: 'a\ufffdb' }])
    t.match((await readStory(db, id)).job, { leased_until: null })
  })

  t.test('fails a dispatch whose body is gone', async (t) => {
    const id = await storeDispatch(db)
    await db.deleteFrom('dispatch_bodies').execute()
    const bench = setUp(db, { deliver: () => ACCEPTED })

    await bench.run()

    t.strictSame(bench.adapter.calls, [])
    t.match((await readStory(db, id)).dispatch, { state: 'failed', reason_code: 'body_missing' })
  })

  for (const body of ['', '{', '[]', 'null', '{"id":"A-1"}']) {
    t.test(`fails a dispatch whose body reads ${JSON.stringify(body)}`, async (t) => {
      const id = await storeDispatch(db, 'A-1', { body: Buffer.from(body) })

      await setUp(db, { deliver: () => ACCEPTED }).run()

      t.match((await readStory(db, id)).dispatch, { state: 'failed', reason_code: 'body_unreadable' })
    })
  }

  t.test('reads every body that was taken in, a byte order mark and keys of prototypes included', async (t) => {
    const body = '\ufeff{"id":"A-1","commerceExternalId":"C-1","__proto__":{"commerceExternalId":"polluted"}}'
    const id = await storeDispatch(db, 'A-1', { body: Buffer.from(body) })
    let seen: unknown
    const bench = setUp(db, {
      deliver: (command) => {
        seen = command.activity.commerceExternalId
        return ACCEPTED
      },
    })

    await bench.run()

    t.equal(seen, 'C-1')
    t.match((await readStory(db, id)).dispatch, { state: 'delivered' })
  })

  t.test('parks a dispatch that can be read no longer, where an earlier try may have done the work', async (t) => {
    const id = await storeWithUnknownFate()
    await db.deleteFrom('dispatch_bodies').execute()

    await setUp(db, { deliver: () => ACCEPTED }).run()

    tells(t, await readStory(db, id), { dispatch: { state: 'received' }, job: { parked_reason: 'body_missing' } })
  })

  t.test('tells of a result that is due, and of none that is not', async (t) => {
    await storeDispatch(db, 'A-1')
    const withResult = setUp(db, { deliver: () => ({ ...ACCEPTED, result: buildResult() }) })
    await withResult.run()
    await storeDispatch(db, 'A-2')
    const without = setUp(db, { deliver: () => ACCEPTED })
    await without.run()

    t.strictSame([withResult.told, without.told], [['report due'], []])
  })

  t.test('remembers a delivery whose result cannot be stored', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, { deliver: () => ({ ...ACCEPTED, result: buildResult({ occurredAt: 'no time' }) }) })

    await bench.run()

    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered', provider_task_id: 'T-1' },
      job: undefined,
      results: [],
    })
    t.ok(bench.lines.some((line) => line['event'] === 'result.unusable'))
  })

  t.test('counts and tells each try once', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, { deliver: () => RETRY })

    await bench.run()

    const lines = bench.lines.filter((line) => line['event'] === 'delivery.attempted')
    matchList(t, lines, [
      {
        level: 'warn',
        dispatchId: id,
        activityId: 'A-1',
        connection: 'acme',
        attempt: 1,
        outcome: 'retry',
        settled: 'settled',
      },
    ])
    t.match(
      await bench.metrics.expose(),
      /attempts_total\{connection="acme",kind="deliver",outcome="retry",code="http_503"\} 1\n/,
    )
  })

  t.test('tells of a delivery that was given up, as an error', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, { deliver: () => REJECTED })

    await bench.run()

    t.match(
      bench.lines.filter((line) => line['level'] === 'error'),
      [{ event: 'delivery.gave_up', dispatchId: id, code: 'http_422' }],
    )
    // The provider's words may hold personal data: they stand in the attempt, and in no log.
    t.notMatch(JSON.stringify(bench.lines), /no such commerce/)
  })
})

t.test('a delivery under way', async (t) => {
  t.test('that a final event overtakes is not tried again', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, {
      idempotency: 'none',
      deliver: async () => {
        await recordEvent(db, id)
        return RETRY
      },
    })

    await bench.run()

    tells(t, await readStory(db, id), {
      dispatch: { state: 'delivered' },
      job: undefined,
      results: [{ state: 'pending' }],
    })
  })

  t.test('whose body changes meanwhile is followed by a delivery of the changed one', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, {
      deliver: async ({ idempotencyKey }) => {
        if (idempotencyKey === id) await redeliver(db)
        return ACCEPTED
      },
    })

    await bench.run()
    t.match((await readStory(db, id)).dispatch, { state: 'received', revision: 1 })
    await bench.run()

    t.strictSame(bench.adapter.calls, [
      { what: 'deliver', key: id },
      { what: 'deliver', key: `${id}-r1` },
    ])
    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, job: undefined, attempts: [{}, {}] })
  })

  t.test('that another worker has by now writes nothing and tells of no result', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, {
      deliver: async () => {
        await expireLeases(db)
        await rescueJobs(db)
        await claimOne(db, 'deliver', { worker: 'worker-b' })
        return { ...ACCEPTED, result: buildResult() }
      },
    })

    await bench.run()

    tells(t, await readStory(db, id), {
      dispatch: { state: 'received' },
      job: { claimed_by: 'worker-b' },
      attempts: [],
    })
    t.strictSame(bench.told, [])
    t.ok(bench.lines.some((line) => line['event'] === 'delivery.stale'))
  })

  t.test('ends by its deadline, well within its lease, and is in doubt', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, { deliver: untilGivenUp({ ...AMBIGUOUS, code: 'aborted' }), deadlineMs: 1_000 })

    await bench.run()

    t.match((await readStory(db, id)).job, { attempts: 1, is_fate_unknown: true, leased_until: null })
  })

  t.test('that ends in a fault of ours is given back in doubt, and nobody is charged', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, {
      deliver: () => {
        throw new TypeError('undefined is not a function')
      },
    })

    await bench.run()

    const story = await readStory(db, id)
    tells(t, story, { job: { attempts: 0, crashes: 0, is_fate_unknown: true, leased_until: null }, attempts: [] })
    t.equal(await dueIn(story), 15)
    t.ok(bench.lines.some((line) => line['event'] === 'delivery.fault'))
  })

  for (const answer of [undefined, null, {}, { kind: 'done' }, 'accepted']) {
    t.test(`whose adapter answers ${JSON.stringify(answer)} is given back in doubt`, async (t) => {
      const id = await storeDispatch(db)
      // What a module from elsewhere may answer, whatever its types say.
      const bench = setUp(db, { deliver: () => answer as unknown as Outcome })

      await bench.run()

      tells(t, await readStory(db, id), {
        job: { attempts: 0, is_fate_unknown: true, leased_until: null },
        attempts: [],
      })
    })
  }

  t.test('is written down although the day has no partition', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, {
      deliver: async () => {
        const { rows } = await sql<{ name: string }>`
          select 'attempts_' || to_char(now() at time zone 'utc', 'YYYYMMDD') as name`.execute(db)
        await sql`drop table ${sql.table(rows[0]?.name ?? '')}`.execute(db)
        return ACCEPTED
      },
    })

    await bench.run()

    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, attempts: [{ outcome: 'accepted' }] })
  })

  t.test('is written down although every connection to the database broke', async (t) => {
    const id = await storeDispatch(db)
    const bench = setUp(db, {
      deliver: async () => {
        await sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()`.execute(db)
        await sql`select pg_terminate_backend(pg_backend_pid())`.execute(db).catch(() => {})
        return ACCEPTED
      },
    })

    await bench.run()

    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, attempts: [{ outcome: 'accepted' }] })
  })
})

t.test('a delivery that its breaker does not let begin', async (t) => {
  t.test('is given back without a charge or a doubt, and due when a probe may be made', async (t) => {
    const bench = setUp(db, {
      deliver: () => {
        throw new BreakerOpen('acme', 9_000)
      },
    })
    const id = await storeDispatch(db)

    await bench.run()

    const story = await readStory(db, id)
    tells(t, story, { job: { attempts: 0, crashes: 0, is_fate_unknown: false, leased_until: null }, attempts: [] })
    t.equal(await dueIn(story), 9)
    t.same(bench.lines, [], 'nothing that anybody has to look at')
  })
})

t.test('a delivery that was proven before its next try', async (t) => {
  t.test('calls nobody and ends', async (t) => {
    const id = await storeDispatch(db)
    const job = await claimOne(db)
    await recordEvent(db, id)
    // As if the worker that had it had died after the event.
    await expireLeases(db)
    await rescueJobs(db)
    const bench = setUp(db, { idempotency: 'none', deliver: () => ACCEPTED })

    await bench.run()

    t.equal(job.dispatchId, id)
    t.strictSame(bench.adapter.calls, [])
    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, job: undefined, attempts: [] })
    t.ok(bench.lines.some((line) => line['event'] === 'delivery.proven'))
  })

  t.test('is carried out all the same where it is a replay', async (t) => {
    const id = await storeDispatch(db)
    await deliver(db)
    await replay(db, id)
    await recordEvent(db, id)
    const bench = setUp(db, { deliver: () => ACCEPTED })

    await bench.run()

    t.equal(bench.adapter.calls.length, 1)
    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, job: undefined })
  })
})

t.test('a delivery whose end is overtaken by a changed body', async (t) => {
  for (const state of ['canceled', 'delivered'] as const) {
    t.test(`is given back at once for that body, where it was ${state}`, async (t) => {
      const id = await storeDispatch(db)
      await db.updateTable('jobs').set({ attempts: 1 }).execute()
      const job = await claimOne(db)
      const at = state === 'canceled' ? { finished_at: new Date() } : { delivered_at: new Date() }
      await db
        .updateTable('dispatches')
        .set({ state, ...at })
        .execute()
      const bench = setUp(db, {
        deliver: () => ({ kind: 'accepted' }),
      })

      await bench.runClaimed(job, undefined, undefined, () => redeliver(db))

      t.equal(bench.adapter.calls.length, 0)
      const story = await readStory(db, id)
      t.match(story.job, { revision: 1, leased_until: null, claimed_by: null, crashes: 0, is_fate_unknown: false })
      t.match(await claimOne(db), { revision: 1 })
    })
  }
})

t.test('a shutdown', async (t) => {
  const abort = (): { readonly signal: AbortSignal; readonly stop: () => void } => {
    const controller = new AbortController()
    return { signal: controller.signal, stop: () => controller.abort() }
  }

  t.test('gives back at once, uncharged and without doubt, what was not sent', async (t) => {
    const id = await storeDispatch(db)
    const { signal, stop } = abort()
    const bench = setUp(db, { deliver: untilGivenUp({ ...RETRY, code: 'aborted' }, stop) })

    await bench.run(signal)

    const story = await readStory(db, id)
    tells(t, story, {
      job: { attempts: 0, is_fate_unknown: false, leased_until: null, claimed_by: null },
      attempts: [],
    })
    t.ok((await dueIn(story)) <= 0)
  })

  t.test('gives back in doubt what may have been sent', async (t) => {
    const id = await storeDispatch(db)
    const { signal, stop } = abort()
    const bench = setUp(db, { deliver: untilGivenUp({ ...AMBIGUOUS, code: 'aborted' }, stop) })

    await bench.run(signal)

    const story = await readStory(db, id)
    tells(t, story, { job: { attempts: 0, is_fate_unknown: true, leased_until: null }, attempts: [] })
    t.ok((await dueIn(story)) <= 0)
  })

  t.test('has what may be under way searched for later, when it can be found', async (t) => {
    const id = await storeDispatch(db)
    const { signal, stop } = abort()
    const deliverLost = untilGivenUp({ ...AMBIGUOUS, code: 'aborted' }, stop)
    const bench = setUp(db, { idempotency: 'lookup', deliver: deliverLost, lookup: () => ABSENT })

    await bench.run(signal)

    t.equal(await dueIn(await readStory(db, id)), 10)
  })

  for (const [name, outcome] of Object.entries({ accepted: ACCEPTED, rejected: REJECTED, throttled: THROTTLED })) {
    t.test(`still writes down an answer that came: ${name}`, async (t) => {
      const id = await storeDispatch(db)
      const { signal, stop } = abort()
      const bench = setUp(db, {
        deliver: () => {
          stop()
          return outcome
        },
      })

      await bench.run(signal)

      t.match((await readStory(db, id)).attempts, [{ outcome: name }])
    })
  }
})

t.test('a lease that is lost', async (t) => {
  t.test('ends the call and gives the job back in doubt, uncharged', async (t) => {
    const id = await storeDispatch(db)
    const lost = new AbortController()
    const bench = setUp(db, { deliver: untilGivenUp({ ...AMBIGUOUS, code: 'aborted' }, () => lost.abort()) })

    await bench.runClaimed(await claimOne(db), undefined, lost.signal)

    tells(t, await readStory(db, id), {
      job: { attempts: 0, crashes: 0, is_fate_unknown: true, leased_until: null },
      attempts: [],
    })
  })

  t.test('writes nothing where another worker has the job', async (t) => {
    const id = await storeDispatch(db)
    const lost = new AbortController()
    const overtake = async (): Promise<void> => {
      await expireLeases(db)
      await rescueJobs(db)
      await claimOne(db, 'deliver', { worker: 'worker-b' })
      lost.abort()
    }
    const bench = setUp(db, {
      deliver: untilGivenUp({ ...AMBIGUOUS, code: 'aborted' }, () => void overtake()),
    })

    await bench.runClaimed(await claimOne(db), undefined, lost.signal)

    tells(t, await readStory(db, id), { job: { claimed_by: 'worker-b', attempts: 0 }, attempts: [] })
  })

  t.test('does not make us forget an answer that came, as long as nobody else has the job', async (t) => {
    const id = await storeDispatch(db)
    const lost = new AbortController()
    const bench = setUp(db, {
      idempotency: 'none',
      deliver: async () => {
        await expireLeases(db)
        await rescueJobs(db)
        lost.abort()
        return ACCEPTED
      },
    })

    await bench.runClaimed(await claimOne(db), undefined, lost.signal)

    tells(t, await readStory(db, id), { dispatch: { state: 'delivered' }, job: undefined, attempts: [{}] })
  })
})
