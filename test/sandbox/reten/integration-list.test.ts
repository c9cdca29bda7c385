import t from 'tap'
import { callJson, rowsOf } from '../call-json.ts'
import { callIntegration, NOON, oneActivity, receiveFrom, resultFor, startReten } from '../start-reten.ts'

const TASKS = 'activities/tasks'
const DAY_MS = 86_400_000

t.test('GET /api/integration/activities/tasks', async (t) => {
  t.test('gives rows and meta as documented', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)

    const reply = await callIntegration(reten, TASKS)

    t.strictSame(reply.body['meta'], { page: 1, limit: 20, total: 1, totalPages: 1 })
    t.match(rowsOf(reply), [
      {
        id: activity.id,
        activityOrigin: 'ACTIVITY',
        type: 'TASK',
        status: 'PENDING',
        channel: 'SALESMAN',
        scheduledAt: new Date(NOON + DAY_MS).toISOString(),
        occurredAt: null,
        createdAt: new Date(NOON).toISOString(),
        lifecycleStatus: 'SCHEDULED',
        lifecycleStatusLabel: 'Programada',
        lifecycleStatusDetail: null,
        canForceRetryDispatch: false,
        commerceExternalId: activity.commerce.externalId,
        commerceName: activity.commerce.name,
      },
    ])
  })

  t.test('pages by per_page, by limit, and refuses more than 100', async (t) => {
    const reten = await startReten(t)
    reten.createActivities(45)
    const idsOf = async (query: string): Promise<unknown[]> =>
      rowsOf(await callIntegration(reten, `${TASKS}?${query}`)).map(({ id }) => id)

    const pages = [await idsOf('per_page=20'), await idsOf('per_page=20&page=2'), await idsOf('limit=20&page=3')]

    t.strictSame(
      pages.map(({ length }) => length),
      [20, 20, 5],
    )
    t.equal(new Set(pages.flat()).size, 45, 'every activity on exactly one page')
    t.match(await callIntegration(reten, `${TASKS}?per_page=101`), { status: 400 })
    t.match(await callIntegration(reten, `${TASKS}?page=0`), { status: 400 })
  })

  t.test('filters by each documented parameter', async (t) => {
    const reten = await startReten(t)
    const { tenant } = reten.ready
    const [commerce] = tenant.commerces.values()
    const [operator] = tenant.operators.values()
    if (commerce === undefined || operator === undefined) return t.fail('the ready-made tenant is empty')
    const scheduledAt = new Date(NOON + 10 * DAY_MS).toISOString()
    const [wanted] = reten.createActivities(1, { commerce, operator, scheduledAt, channel: 'CALLCENTER' })
    const [, otherCommerce] = tenant.commerces.values()
    const [, otherOperator] = tenant.operators.values()
    reten.createActivities(3, {
      ...(otherCommerce === undefined ? {} : { commerce: otherCommerce }),
      ...(otherOperator === undefined ? {} : { operator: otherOperator }),
    })

    for (const query of [
      'channel=CALLCENTER',
      `external_commerce_id=${commerce.externalId}`,
      `external_operator_id=${operator.externalId}`,
      `scheduled_from=${new Date(NOON + 9 * DAY_MS).toISOString()}`,
    ]) {
      t.match(await callIntegration(reten, `${TASKS}?${query}`), {
        body: { data: [{ id: wanted?.id }], meta: { total: 1 } },
      })
    }
    t.match(await callIntegration(reten, `${TASKS}?scheduled_to=${new Date(NOON + 9 * DAY_MS).toISOString()}`), {
      body: { meta: { total: 3 } },
    })
  })

  t.test('filters by status and result in the words of its own', async (t) => {
    const reten = await startReten(t)
    await receiveFrom(t, reten)
    const completed = oneActivity(reten)
    const inProgress = oneActivity(reten)
    await reten.dispatchAll()
    await callIntegration(reten, 'activity-results/tasks', resultFor(completed))
    const pending = oneActivity(reten)
    const canceled = oneActivity(reten)
    reten.cancelActivity(canceled.id)
    const finds = async (query: string, id: string): Promise<void> => {
      const reply = await callIntegration(reten, `${TASKS}?${query}`)
      t.strictSame(
        rowsOf(reply).map((row) => row['id']),
        [id],
        query,
      )
    }

    await finds('status=COMPLETED', completed.id)
    await finds('status=IN_PROGRESS', inProgress.id)
    await finds('status=PENDING', pending.id)
    await finds('status=CANCELLED', canceled.id)
    await finds('status=CANCELED', canceled.id)
    await finds('result_status=EFFECTIVE', completed.id)
    t.match(await callIntegration(reten, `${TASKS}?status=DISPATCHED`), { status: 400 })
    t.match(await callIntegration(reten, `${TASKS}?result_status=COMPLETED`), { status: 400 })
  })

  t.test('lists tasks only, and only the key’s tenant’s', async (t) => {
    const reten = await startReten(t)
    reten.createTenant({ code: 'other' })
    reten.createActivities(2, {}, 'other')
    reten.createActivities(1, { type: 'MESSAGE', channel: 'WHATSAPP' })
    const activity = oneActivity(reten)

    t.strictSame(
      rowsOf(await callIntegration(reten, TASKS)).map(({ id }) => id),
      [activity.id],
    )
  })

  t.test('shows an activity whose dispatch failed, with the reason and as one that can be forced', async (t) => {
    const reten = await startReten(t, { switches: { dispatchAttempts: 1 } })
    await receiveFrom(t, reten, () => ({ status: 503, body: { message: 'out of order' } }))
    oneActivity(reten)
    await reten.dispatchOnce()

    t.match(rowsOf(await callIntegration(reten, TASKS)), [
      { status: 'PENDING', canForceRetryDispatch: true, lifecycleStatusDetail: /out of order/ },
    ])
    reten.setSwitches({ failedInList: 'hidden' })
    t.strictSame(rowsOf(await callIntegration(reten, TASKS)), [])
  })

  t.test('shows the result, and leaves that out when told to', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    await callIntegration(reten, 'activity-results/tasks', resultFor(activity))

    t.match(rowsOf(await callIntegration(reten, TASKS)), [
      {
        status: 'COMPLETED',
        resultStatus: 'EFFECTIVE',
        result: 'SALE_COMPLETED',
        occurredAt: '2026-05-04T12:00:00.000Z',
      },
    ])
    reten.setSwitches({ listResultFields: false })
    t.notOk('resultStatus' in (rowsOf(await callIntegration(reten, TASKS))[0] ?? {}))
  })

  t.test('turns its order round when told to', async (t) => {
    const reten = await startReten(t)
    const ids = reten.createActivities(3).map(({ id }) => id)
    const listed = async (): Promise<unknown[]> => rowsOf(await callIntegration(reten, TASKS)).map(({ id }) => id)

    t.strictSame(await listed(), ids.toReversed())
    reten.setSwitches({ listOrder: 'oldest' })
    t.strictSame(await listed(), ids)
  })
})

t.test('GET /api/integration/task-result-type-configs', async (t) => {
  t.test('gives a bare array of codes with what they need', async (t) => {
    const reten = await startReten(t)

    const reply = await callIntegration(reten, 'task-result-type-configs')

    t.match(reply.list, [
      { code: 'SALE_COMPLETED', label: 'Venta realizada', requiresFutureScheduledAt: false },
      { code: 'NOT_INTERESTED' },
      { code: 'RESCHEDULE', requiresFutureScheduledAt: true },
      { code: 'NO_CONTACT' },
    ])
  })
})

t.test('API keys', async (t) => {
  t.test('open the integration family, and only when known, live and permitted', async (t) => {
    const reten = await startReten(t)
    const statusWith = async (headers: Record<string, string>): Promise<number> =>
      (await callJson(`${reten.url}/api/integration/${TASKS}`, { headers })).status
    const expiresAt = new Date(NOON + 1000).toISOString()
    const expiring = reten.createApiKey({ expiresAt })
    const weak = reten.createApiKey({ permissions: ['submit_activity_result'] })

    t.match(reten.ready.apiKey, /^rtn_sk_[0-9a-f]{56}$/)
    t.equal(await statusWith({ 'x-api-key': reten.ready.apiKey }), 200)
    t.equal(await statusWith({}), 401)
    t.equal(await statusWith({ 'x-api-key': 'rtn_sk_0000' }), 401)
    t.equal(await statusWith({ 'x-api-key': weak }), 403)
    t.equal(await statusWith({ 'x-api-key': expiring }), 200)
    reten.clock.advance(1000)
    t.equal(await statusWith({ 'x-api-key': expiring }), 401)
    t.equal(await statusWith({ authorization: `Bearer ${reten.createToken('ADMIN')}` }), 401, 'a user’s token is not')
  })

  t.test('are refused in the documented words', async (t) => {
    const reten = await startReten(t)
    const weak = reten.createApiKey({ permissions: ['VIEW_ACTIVITIES'] })
    const post = (key: string): Promise<unknown> =>
      callJson(`${reten.url}/api/integration/activity-results/tasks`, { headers: { 'x-api-key': key }, body: {} })

    t.match(await post('unknown'), {
      status: 401,
      body: { statusCode: 401, error: 'Unauthorized', message: 'API key missing or invalid' },
    })
    t.match(await post(weak), {
      status: 403,
      body: { statusCode: 403, error: 'Forbidden', message: 'Insufficient permissions' },
    })
  })
})
