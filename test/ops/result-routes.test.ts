import t from 'tap'
import type { Test } from 'tap'
import { createHttpClient } from '../../src/http-client.ts'
import { startRetenSandbox } from '../../src/sandbox/start-reten-sandbox.ts'
import { recordProviderEvent } from '../../src/store/record-provider-event.ts'
import { buildResult, claimAll, deliver, makeAllDue } from '../support/ledger.ts'
import { setUpReports } from '../report/report-fixture.ts'
import { addConnectionRow, createOpsFixture, storeDispatch } from './ops-fixture.ts'

const RESULTS_PATH = '/api/integration/activity-results/tasks'

/** The operators' app, Reten's stand-in, and a worker that reports what is due. */
async function setUp(t: Test) {
  const ops = await createOpsFixture(t)
  await addConnectionRow(ops.db)
  const reten = await startRetenSandbox({ port: 0 })
  t.teardown(() => reten.close())
  const http = createHttpClient()
  t.teardown(() => http.close())
  const report = async (settings = {}): Promise<void> => {
    const types = [...reten.ready.tenant.resultTypes.values()].map((type) => ({ ...type }))
    const bench = setUpReports(ops.db, http, reten.url, { apiKey: reten.ready.apiKey, types, settings })
    await makeAllDue(ops.db)
    for (const job of await claimAll(ops.db, 'report')) await bench.runClaimed(job)
  }
  /** A delivered dispatch of one of Reten's activities, with this result. */
  const deliverOne = async (content: Parameters<typeof deliver>[2], overrides = {}): Promise<string> => {
    const [activity] = reten.createActivities(1)
    if (activity === undefined) throw new Error('no activity was made')
    const { commerce, scheduledAt } = activity
    const id = await storeDispatch(ops.db, activity.id, { commerceId: commerce.externalId, scheduledAt, ...overrides })
    await deliver(ops.db, undefined, content)
    return id
  }
  /** Somebody else tells Reten of the activity of our only dispatch. */
  const tellMeanwhile = async (): Promise<void> => {
    const [activity] = reten.activities()
    const response = await fetch(reten.url + RESULTS_PATH, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': reten.ready.apiKey },
      body: JSON.stringify({
        activity_id: activity?.id,
        commerce_external_id: activity?.commerce.externalId,
        occurred_at: '2026-01-01T10:00:00.000Z',
        status: 'NOT_EFFECTIVE',
        task_result: { result: 'NO_CONTACT' },
      }),
    })
    if (response.status !== 201) throw new Error(await response.text())
  }
  const list = async (query = '') => (await ops.ask('viewer', { url: `/admin/results${query}` })).json()
  const post = (url: string, body: object) => ops.ask('operator', { method: 'POST', url: `/admin${url}`, body })
  const stateOf = async (id: string) =>
    (await ops.db.selectFrom('dispatches').select('state').where('id', '=', id).executeTakeFirstOrThrow()).state
  return { ...ops, reten, report, deliverOne, tellMeanwhile, list, post, stateOf }
}

const soon = (): string => new Date(Date.now() + 60_000).toISOString()

void t.test('a conflict', async (t) => {
  await t.test('is shown with both sides, and ours overwrites theirs where a person says so', async (t) => {
    const { reten, report, deliverOne, tellMeanwhile, list, post, stateOf, db } = await setUp(t)
    const id = await deliverOne({ occurredAt: soon() })
    await tellMeanwhile()
    await report()

    const { data } = await list('?state=conflict')
    t.match(data, [
      {
        dispatchId: id,
        state: 'conflict',
        reasonCode: 'http_409',
        reason: /already registered/,
        ours: { status: 'EFFECTIVE', code: 'SALE_COMPLETED' },
        theirs: { resultStatus: 'NOT_EFFECTIVE', result: 'NO_CONTACT', occurredAt: '2026-01-01T10:00:00.000Z' },
        report: null,
      },
    ])
    t.equal((await post(`/results/${data[0].id}/resolve`, { action: 'overwrite' })).statusCode, 400, 'without a reason')
    const resolved = await post(`/results/${data[0].id}/resolve`, { action: 'overwrite', reason: 'the visit was made' })
    t.equal(resolved.statusCode, 202)
    await report()

    t.match(reten.activities()[0], { result: { resultStatus: 'EFFECTIVE' }, registrations: { final: 2, doubled: 0 } })
    t.equal(await stateOf(id), 'completed')
    t.same((await list()).data, [])
    t.match(await db.selectFrom('audit_log').selectAll().where('action', '=', 'result.overwritten').execute(), [
      { actor: 'otto', target: id, reason: 'the visit was made', detail: { retenSide: { result: 'NO_CONTACT' } } },
    ])
  })

  await t.test('ends with theirs where a person says so', async (t) => {
    const { reten, report, deliverOne, tellMeanwhile, list, post, stateOf } = await setUp(t)
    const id = await deliverOne({})
    await tellMeanwhile()
    await report()
    const { data } = await list()

    const resolved = await post(`/results/${data[0].id}/resolve`, { action: 'keep_theirs', reason: 'they know better' })

    t.match(resolved, { statusCode: 200 })
    t.match(resolved.json(), { stateBefore: 'conflict', state: 'superseded' })
    t.equal(await stateOf(id), 'completed')
    t.match(reten.activities()[0], { result: { resultStatus: 'NOT_EFFECTIVE' }, registrations: { final: 1 } })
    const again = await post(`/results/${data[0].id}/resolve`, { action: 'overwrite', reason: 'after all' })
    t.match(again.json(), { statusCode: 409, code: 'RCV_RESULT_UNSUITABLE', message: /is superseded/ })
  })

  await t.test('with the temporal guard is explained, and ended by a report by hand', async (t) => {
    const { reten, report, deliverOne, tellMeanwhile, list, post, stateOf } = await setUp(t)
    const id = await deliverOne({ occurredAt: '2026-01-01T09:00:00.000Z' })
    await tellMeanwhile()
    await report()
    await post(`/results/${(await list()).data[0].id}/resolve`, { action: 'overwrite', reason: 'ours is right' })
    await report()
    t.match((await list()).data, [{ state: 'conflict', reasonCode: 'temporal_guard', isOverride: true }])

    const body = { reason: 'seen at the store', status: 'EFFECTIVE', result: 'SALE_COMPLETED', occurred_at: soon() }
    t.match(await post(`/dispatches/${id}/result`, { ...body, overwrite: true }), { statusCode: 202 })
    await report()

    t.match(reten.activities()[0], { result: { resultStatus: 'EFFECTIVE' } })
    t.equal(await stateOf(id), 'completed')
    t.same((await list()).data, [], 'the one in conflict gave way')
  })
})

void t.test('a result', async (t) => {
  await t.test('that Reten refused is told again where a person says so', async (t) => {
    const { reten, report, deliverOne, list, post, stateOf, nudges } = await setUp(t)
    reten.setSwitches({ unknownOperator: 'not_found' })
    const id = await deliverOne({ operatorExternalId: 'V-99' })
    await report()
    t.match((await list('?state=failed')).data, [{ reasonCode: 'http_404', reason: /V-99 not found/, theirs: null }])
    reten.setSwitches({ unknownOperator: 'placeholder' })

    const retried = await post(`/results/${(await list()).data[0].id}/retry`, { reason: 'V-99 is there now' })
    t.equal(retried.statusCode, 202)
    t.same(nudges, ['report'])
    await report()

    t.equal(await stateOf(id), 'completed')
  })

  await t.test('with a code that nobody knows waits for result_map, and goes on once it is set', async (t) => {
    const { report, deliverOne, list, db, ask, stateOf } = await setUp(t)
    const id = await deliverOne({ code: 'VENDIDO' })
    await report()
    t.match((await list('?held=true')).data, [{ state: 'pending', isHeld: true, reasonCode: 'code_unknown' }])
    await db.updateTable('jobs').set({ due_at: '2999-01-01T00:00:00.000Z' }).execute()

    const settings = { result_map: { VENDIDO: 'SALE_COMPLETED' } }
    t.equal(
      (await ask('admin', { method: 'PATCH', url: '/admin/connections/acme', body: { settings } })).statusCode,
      200,
    )

    const [job] = await db.selectFrom('jobs').select('due_at').execute()
    t.ok(job !== undefined && job.due_at.getTime() < Date.now() + 60_000, 'it is due')
    await report(settings)
    t.equal(await stateOf(id), 'completed')
    const { data } = await list(`?dispatch=${id}`)
    t.match(data, [{ state: 'reported', reasonCode: null, ours: { code: 'VENDIDO', toldCode: 'SALE_COMPLETED' } }])
  })

  await t.test('of an earlier revision is found, and told where a person says so', async (t) => {
    const { reten, report, deliverOne, list, post, db } = await setUp(t)
    const id = await deliverOne(undefined)
    await db.updateTable('dispatches').set({ revision: 1, provider_task_revision: 1 }).execute()
    const event = { dispatchId: id, providerTaskId: 'T-0', content: buildResult() }
    await db.updateTable('dispatches').set({ provider_task_id: 'T-1' }).execute()
    await recordProviderEvent(db, { connection: 'acme', provider: 'mock', event, body: Buffer.from('{}') })
    await report()
    const { data } = await list('?state=superseded')
    t.match(data, [{ dispatchId: id, reasonCode: 'earlier_revision', ours: { revision: 0 } }])
    t.equal(reten.counts().registered, 0)

    t.equal((await post(`/results/${data[0].id}/retry`, { reason: 'the work was done' })).statusCode, 202)
    await report()

    t.equal(reten.counts().registered, 1)
  })

  await t.test('of a MESSAGE is kept and marked, and nothing is told', async (t) => {
    const { reten, report, deliverOne, list, post, stateOf } = await setUp(t)
    const id = await deliverOne({}, { type: 'MESSAGE' })
    await report()

    const { data } = await list('?state=unreportable')
    t.match(data, [{ dispatchId: id, reasonCode: 'type_not_reportable' }])
    t.equal(reten.counts().resultRequests, 0)
    t.equal(await stateOf(id), 'delivered')
    t.match((await post(`/results/${data[0].id}/retry`, { reason: 'try' })).json(), { code: 'RCV_RESULT_UNSUITABLE' })
  })

  await t.test('is refused by hand for what is not delivered, and twice', async (t) => {
    const { db, deliverOne, post } = await setUp(t)
    const body = { reason: 'x', status: 'EFFECTIVE', result: 'SALE_COMPLETED', occurred_at: '2026-05-04T15:20:00.000Z' }
    const delivered = await deliverOne(undefined)
    const waiting = await storeDispatch(db, 'A-waits')

    t.match((await post(`/dispatches/${waiting}/result`, body)).json(), {
      statusCode: 409,
      message: /still to be delivered/,
    })
    t.equal((await post(`/dispatches/${delivered}/result`, body)).statusCode, 202)
    t.match((await post(`/dispatches/${delivered}/result`, body)).json(), { statusCode: 409, message: /already/ })
    t.match((await post('/dispatches/nobody/result', body)).json(), { code: 'RCV_DISPATCH_NOT_FOUND' })
    const odd = { ...body, occurred_at: '2026-13-45T00:00:00Z' }
    t.match((await post(`/dispatches/${delivered}/result`, odd)).json(), { code: 'RCV_REQUEST_INVALID' })
  })
})

void t.test('the list of results', async (t) => {
  await t.test('comes in pages, newest first, and refuses what it cannot answer', async (t) => {
    const { deliverOne, list, ask } = await setUp(t)
    const ids: string[] = []
    for (let number = 0; number < 5; number += 1) ids.push(await deliverOne({}))

    const seen: string[] = []
    let cursor = ''
    do {
      const { data, meta } = await list(`?limit=2${cursor}`)
      for (const { dispatchId } of data) seen.push(dispatchId)
      cursor = meta.next_cursor === null ? '' : `&cursor=${meta.next_cursor}`
    } while (cursor !== '')

    t.strictSame(seen, ids.toReversed())
    t.match((await list('?state=reported')).message, /only together with dispatch/)
    t.match((await list('?dispatch=7')).code, 'RCV_QUERY_INVALID')
    t.match((await list('?connection=acmee')).message, /names no connection/)
    const retry = { method: 'POST', url: '/admin/results/nobody/retry', body: { reason: 'x' } } as const
    t.equal((await ask('viewer', retry)).statusCode, 403)
    t.match((await ask('operator', retry)).json(), { code: 'RCV_RESULT_NOT_FOUND' })
  })
})
