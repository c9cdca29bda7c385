import { sql } from 'kysely'
import t from 'tap'
import type { Test } from 'tap'
import { openLedger, storeDispatch } from '../support/ledger.ts'
import { openReconcileBench } from './reconcile-fixture.ts'

const { db } = await openLedger(t)

const OCCURRED_AT = '2026-05-04T15:20:00.000Z'

/** An activity that was delivered here and whose result is in a state here; Reten holds what `atReten` says, if anything. */
async function openResult(
  t: Test,
  state: 'reported' | 'unproven',
  atReten: Readonly<Record<string, unknown>> | undefined,
  listResultFields = true,
) {
  const bench = await openReconcileBench(t, db, { reten: { switches: { listResultFields } } })
  const [activity] = bench.reten.createActivities(1)
  if (activity === undefined) throw new Error('nothing was created')
  const { id: activityId, commerce, scheduledAt } = activity
  const id = await storeDispatch(db, activityId, { commerceId: commerce.externalId, scheduledAt })
  await sql`update dispatches set state = 'delivered', delivered_at = now()`.execute(db)
  await sql`delete from jobs`.execute(db)
  await sql`insert into results (dispatch_id, connection, source, status, code, occurred_at, state, reason_code, settled_at)
    values (${id}, 'acme', 'webhook', 'EFFECTIVE', 'SALE_COMPLETED', ${OCCURRED_AT}::timestamptz, ${state},
            ${state === 'unproven' ? 'gave_up' : null}, now() - interval '1 minute')`.execute(db)
  if (atReten !== undefined) {
    const answer = await fetch(`${bench.reten.url}/api/integration/activity-results/tasks`, {
      method: 'POST',
      headers: { 'x-api-key': bench.reten.ready.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify({
        activity_id: activityId,
        commerce_external_id: commerce.externalId,
        occurred_at: OCCURRED_AT,
        status: 'EFFECTIVE',
        task_result: { result: 'SALE_COMPLETED' },
        ...atReten,
      }),
    })
    t.equal(answer.status, 201)
  }
  const compared = await bench.compare()
  const result = await db.selectFrom('results').select(['state', 'reason_code']).executeTakeFirstOrThrow()
  const dispatch = await db.selectFrom('dispatches').select('state').executeTakeFirstOrThrow()
  const jobs = await db.selectFrom('jobs').select(['kind', 'is_fate_unknown']).execute()
  return { compared, result, dispatch, jobs, nudges: bench.nudges }
}

t.test('a result that is unproven', async (t) => {
  for (const listResultFields of [true, false]) {
    const how = listResultFields ? 'shows its status' : 'shows only its time, by the filter of the list'
    await t.test(`is reported once Reten ${how}`, async (t) => {
      const { compared, result, dispatch, jobs } = await openResult(t, 'unproven', {}, listResultFields)

      t.match(compared, { proven: 1, reported_again: 0, differences: 0 })
      t.match(result, { state: 'reported', reason_code: null })
      t.equal(dispatch.state, 'completed')
      t.same(jobs, [])
    })
  }

  await t.test('is reported again where Reten has none', async (t) => {
    const { compared, result, jobs, nudges } = await openResult(t, 'unproven', undefined)

    t.match(compared, { proven: 0, reported_again: 1, differences: 0 })
    t.match(result, { state: 'pending' })
    t.same(jobs, [{ kind: 'report', is_fate_unknown: false }])
    t.ok(nudges.includes('report'))
  })

  for (const [what, atReten] of [
    ['of another time', { occurred_at: '2026-05-04T15:20:01.000Z' }],
    ['of another status', { status: 'NOT_EFFECTIVE' }],
    ['of another code', { task_result: { result: 'NOT_INTERESTED' } }],
  ] as const) {
    await t.test(`stays before a person where Reten has one ${what}`, async (t) => {
      const { compared, result, jobs } = await openResult(t, 'unproven', atReten)

      t.match(compared, { proven: 0, reported_again: 0, findings: [{ kind: 'result_different' }] })
      t.match(result, { state: 'unproven' })
      t.same(jobs, [])
    })
  }
})

t.test('a result that was reported', async (t) => {
  await t.test('is no difference where Reten shows it', async (t) => {
    const { compared } = await openResult(t, 'reported', {})

    t.match(compared, { proven: 0, differences: 0 })
  })

  await t.test('is shown to a person where Reten shows none', async (t) => {
    const { compared, result } = await openResult(t, 'reported', undefined)

    t.match(compared.findings, [
      { kind: 'result_absent', detail: `reported: EFFECTIVE SALE_COMPLETED of ${OCCURRED_AT}` },
    ])
    t.match(result, { state: 'reported' })
  })

  await t.test('is shown to a person where Reten shows another', async (t) => {
    const { compared } = await openResult(t, 'reported', { status: 'NOT_EFFECTIVE' })

    t.match(compared.findings, [{ kind: 'result_different' }])
  })
})
