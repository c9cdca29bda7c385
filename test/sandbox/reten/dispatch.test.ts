import t from 'tap'
import { callJson } from '../call-json.ts'
import { callAsUser, callIntegration, oneActivity, receiveFrom, resultFor, startReten } from '../start-reten.ts'
import { unusedOrigin } from '../../support/local-server.ts'

t.test('dispatching', async (t) => {
  t.test('POSTs to {baseUrl}/activities with the provider’s key, one activity a request', async (t) => {
    const reten = await startReten(t)
    const receiver = await receiveFrom(t, reten)
    reten.createActivities(3)

    t.match(await reten.dispatchOnce(), { attempted: 3, dispatched: 3, failedAttempts: 0 })

    t.equal(receiver.received.length, 3)
    for (const { path, headers } of receiver.received) {
      t.equal(path, '/activities')
      t.match(headers, { 'x-api-key': 'their-key', 'content-type': 'application/json' })
    }
    t.match(reten.counts(), { byStatus: { DISPATCHED: 3 }, dispatched: 3, acknowledged: 3, pushes: 3 })
  })

  t.test('takes at most a batch of each tenant in a run', async (t) => {
    const reten = await startReten(t, { switches: { dispatchBatch: 2 } })
    const receiver = await receiveFrom(t, reten)
    reten.createTenant({ code: 'other' })
    reten.setDispatchConfig({ baseUrl: receiver.url, apiKey: 'other-key' }, 'other')
    reten.createActivities(3)
    reten.createActivities(3, {}, 'other')

    await reten.dispatchOnce()
    t.strictSame(
      receiver.received.map(({ headers }) => headers['x-api-key']),
      ['their-key', 'their-key', 'other-key', 'other-key'],
    )
    await reten.dispatchAll()
    t.equal(receiver.received.length, 6)
  })

  t.test('runs every period of sandbox time once it is started', async (t) => {
    const reten = await startReten(t)
    const receiver = await receiveFrom(t, reten)
    reten.createActivities(1)
    reten.startDispatching()

    reten.clock.advance(29_999)
    t.equal(receiver.received.length, 0)
    reten.clock.advance(1)
    await receiver.arrived(1)

    t.pass()
  })

  t.test('gives up after three failed attempts, with an event for each', async (t) => {
    const reten = await startReten(t)
    await receiveFrom(t, reten, () => ({ status: 500, body: { message: 'boom' } }))
    const activity = oneActivity(reten)

    for (let run = 0; run < 3; run += 1) await reten.dispatchOnce()

    t.equal(activity.status, 'FAILED')
    t.match(await reten.dispatchOnce(), { attempted: 0 })
    const failure = { eventType: 'DISPATCH_FAILED', errorCode: 'HTTP_500', errorMessage: /boom/ }
    t.match(activity.events, [
      { eventType: 'CREATED', fromStatus: null, toStatus: 'READY' },
      { eventType: 'DISPATCH_ATTEMPT', errorCode: null },
      failure,
      { eventType: 'DISPATCH_ATTEMPT' },
      failure,
      { eventType: 'DISPATCH_ATTEMPT' },
      failure,
      { eventType: 'FAILED', fromStatus: 'READY', toStatus: 'FAILED' },
    ])
  })

  t.test('retries a refusal like any failure, or gives up at once when told to', async (t) => {
    const reten = await startReten(t)
    await receiveFrom(t, reten, () => ({ status: 400 }))
    const activity = oneActivity(reten)

    await reten.dispatchOnce()
    t.equal(activity.status, 'READY')
    reten.setSwitches({ retryOnClientError: false })
    await reten.dispatchOnce()
    t.equal(activity.status, 'FAILED')
  })

  t.test('counts silence beyond its time limit as a failed attempt', async (t) => {
    const reten = await startReten(t, { switches: { dispatchTimeoutMs: 50 } })
    await receiveFrom(t, reten, () => 'hang')
    const activity = oneActivity(reten)

    await reten.dispatchOnce()

    t.match(activity.pushes, [{ outcome: 'timeout', statusCode: null }])
    t.match(activity.events.at(-1), { eventType: 'DISPATCH_FAILED', errorCode: 'TIMEOUT' })
  })

  t.test('counts a receiver that is not there as a failed attempt', async (t) => {
    const reten = await startReten(t)
    const receiver = await receiveFrom(t, reten)
    await receiver.close()
    const activity = oneActivity(reten)

    await reten.dispatchOnce()

    t.match(activity.pushes, [{ outcome: 'network_error', error: /ECONNREFUSED/ }])
  })

  t.test('leaves activities alone that no active configuration is for', async (t) => {
    const reten = await startReten(t)
    reten.createActivities(1)

    t.match(await reten.dispatchOnce(), { attempted: 0 })
    t.match(reten.counts(), { byStatus: { READY: 1 } })
  })

  t.test('pauses between runs with failed attempts when told to', async (t) => {
    const reten = await startReten(t)
    const receiver = await receiveFrom(t, reten, (_request, count) => ({ status: count < 3 ? 503 : 201 }))
    oneActivity(reten)
    const startedAt = performance.now()

    t.match(await reten.dispatchAll(30), { attempted: 3, dispatched: 1, failedAttempts: 2 })

    t.ok(performance.now() - startedAt >= 58, 'two pauses of 30 ms')
    t.equal(receiver.received.length, 3)
  })

  t.test('keeps the pace it is told', async (t) => {
    const reten = await startReten(t, { switches: { dispatchRatePerSecond: 100 } })
    await receiveFrom(t, reten)
    reten.createActivities(11)
    const startedAt = performance.now()

    await reten.dispatchOnce()

    t.ok(performance.now() - startedAt >= 95, 'ten gaps of 10 ms')
  })
})

t.test('the provider’s id', async (t) => {
  t.test('is the first of the likely keys in a reply with any 2xx', async (t) => {
    const replies = [
      { id: 'a', providerActivityId: 'x' },
      { providerActivityId: 'b', provider_activity_id: 'x' },
      { provider_activity_id: 'c', activityId: 'x' },
      { activityId: 'd' },
      { id: 5 },
    ]
    const reten = await startReten(t, { switches: { dispatchConcurrency: 1 } })
    await receiveFrom(t, reten, (_request, count) => ({ status: 200 + (count % 4), body: replies[count - 1] }))
    const activities = reten.createActivities(replies.length)

    await reten.dispatchOnce()

    t.strictSame(
      activities.map(({ providerActivityId }) => providerActivityId),
      ['a', 'b', 'c', 'd', '5'],
    )
  })

  t.test('is looked for where the switch says', async (t) => {
    const reten = await startReten(t, { switches: { providerIdKeys: ['ref'] } })
    await receiveFrom(t, reten, () => ({ status: 202, body: { id: 'no', ref: 'yes' } }))
    const activity = oneActivity(reten)

    await reten.dispatchOnce()

    t.equal(activity.providerActivityId, 'yes')
  })

  t.test('makes no difference to success when it is missing', async (t) => {
    const reten = await startReten(t)
    await receiveFrom(t, reten, () => ({ status: 200, body: {} }))
    const activity = oneActivity(reten)

    await reten.dispatchOnce()

    t.match(activity, { status: 'DISPATCHED', providerActivityId: undefined })
  })

  t.test('is reported when it differs between two acknowledgements of one activity', async (t) => {
    const reten = await startReten(t)
    await receiveFrom(t, reten, (_request, count) => ({ status: 201, body: { id: `task-${count}` } }))
    const activity = oneActivity(reten)

    await reten.dispatchOnce()
    await reten.resend(activity.id)

    t.match(reten.counts(), { differingProviderIds: 1, repeatedAcknowledgements: 1 })
  })
})

t.test('payload shapes', async (t) => {
  t.test('hold the ids in camelCase and nested, by default', async (t) => {
    const reten = await startReten(t)
    const receiver = await receiveFrom(t, reten)
    const activity = oneActivity(reten)

    await reten.dispatchOnce()

    t.match(receiver.received[0]?.body, {
      id: activity.id,
      type: 'TASK',
      channel: 'SALESMAN',
      reason: { code: String, label: String },
      commerce: { externalId: activity.commerce.externalId },
      operator: { externalId: activity.operator?.externalId },
      scheduledAt: activity.scheduledAt,
    })
  })

  t.test('can be flat, in snake_case, or nothing anybody expects', async (t) => {
    const reten = await startReten(t, { switches: { dispatchConcurrency: 1 } })
    const receiver = await receiveFrom(t, reten)
    const commerceExternalId = String
    const [flat] = reten.createActivities(1, { payloadShape: 'flat-camel' })
    const [snake] = reten.createActivities(1, { payloadShape: 'flat-snake' })
    const [odd] = reten.createActivities(1, { payloadShape: 'unexpected' })

    await reten.dispatchOnce()

    t.match(
      receiver.received.map(({ body }) => body),
      [
        { activityId: flat?.id, commerceExternalId, operatorExternalId: String, reason: String },
        { activity_id: snake?.id, commerce_external_id: String, operator_external_id: String },
        { payload: { ref: odd?.id }, store: { code: String }, agent: { code: String } },
      ],
    )
  })

  t.test('vary from activity to activity when they are mixed', async (t) => {
    const reten = await startReten(t, { switches: { payloadShape: 'mixed' } })
    const receiver = await receiveFrom(t, reten)
    reten.createActivities(40)

    await reten.dispatchOnce()

    const idKeys = receiver.received.map(({ body }) => ['id', 'activityId', 'activity_id'].find((key) => key in body))
    t.strictSame(new Set(idKeys), new Set(['id', 'activityId', 'activity_id']))
  })
})

t.test('the same activity again', async (t) => {
  t.test('comes when the first reply is lost by switch', async (t) => {
    const reten = await startReten(t, { switches: { loseFirstReply: true } })
    const receiver = await receiveFrom(t, reten)
    const activity = oneActivity(reten)

    await reten.dispatchAll()

    t.strictSame(receiver.received[0]?.body, receiver.received[1]?.body)
    t.match(activity, { status: 'DISPATCHED', pushes: [{ outcome: 'unread' }, { outcome: 'acknowledged' }] })
  })

  t.test('comes by each fault that repeats it, and each ends as it should', async (t) => {
    for (const [kind, requests, attempts] of [
      ['reply_lost', 2, 2],
      ['hung_up', 2, 2],
      ['duplicate', 2, 1],
      ['twice_at_once', 2, 1],
      ['never_sent', 1, 2],
    ] as const) {
      const reten = await startReten(t)
      const receiver = await receiveFrom(t, reten)
      const activity = oneActivity(reten)
      reten.faults.script('dispatch', [kind])

      await reten.dispatchAll()
      await receiver.arrived(requests)

      t.equal(receiver.received.length, requests, `${kind}: requests`)
      t.equal(activity.dispatchAttemptCount, attempts, `${kind}: attempts`)
      t.equal(activity.status, 'DISPATCHED', kind)
    }
  })

  t.test('comes on demand, changed if wanted, without touching the activity', async (t) => {
    const reten = await startReten(t)
    const receiver = await receiveFrom(t, reten)
    const activity = oneActivity(reten)
    await reten.dispatchOnce()

    const reply = await callJson(`${reten.url}/sandbox/activities/${activity.id}/resend`, {
      body: { change: { score: 1 } },
    })

    t.match(reply.body, { outcome: 'acknowledged', statusCode: 201 })
    t.match(receiver.received[1]?.body, { id: activity.id, score: 1 })
    t.match(activity, { status: 'DISPATCHED', dispatchAttemptCount: 1 })
  })

  t.test('comes with fresh attempts when a failed dispatch is forced', async (t) => {
    const reten = await startReten(t, { switches: { dispatchAttempts: 1 } })
    await receiveFrom(t, reten, (_request, count) => ({ status: count === 1 ? 503 : 201 }))
    const activity = oneActivity(reten)
    await reten.dispatchOnce()
    t.equal(activity.status, 'FAILED')

    t.equal(await reten.forceDispatch(activity.id), true)

    t.match(activity, { status: 'DISPATCHED', dispatchAttemptCount: 1 })
    t.equal(await reten.forceDispatch(activity.id), false, 'one that is dispatched cannot be forced')
  })
})

t.test('a result that comes before the dispatch is settled', async (t) => {
  t.test('ends the activity, and settling leaves it so', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    let reported: Promise<unknown> = Promise.resolve()
    const receiver = await receiveFrom(t, reten, () => {
      reported = callIntegration(reten, 'activity-results/tasks', resultFor(activity))
      return 'hang'
    })
    reten.setSwitches({ dispatchTimeoutMs: 200 })

    await reten.dispatchOnce()
    await reported

    t.equal(receiver.received.length, 1)
    t.equal(activity.status, 'COMPLETED')
    t.match(await reten.dispatchOnce(), { attempted: 0 })
  })
})

t.test('dispatch by hand', async (t) => {
  const path = (id: string): string => `activities/tasks/${id}/dispatch`
  const byHand = { method: 'POST' }

  t.test('answers 204, and 400 or 404 where there is nothing to dispatch', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    const [message] = reten.createActivities(1, { type: 'MESSAGE' })
    const unknown = '00000000-0000-4000-8000-000000000000'

    t.match(await callAsUser(reten, 'FDE', path(unknown), byHand), { status: 404 })
    t.match(await callAsUser(reten, 'FDE', path(activity.id), byHand), {
      status: 404,
      body: { message: /dispatch config/ },
    })
    await receiveFrom(t, reten)
    t.match(await callAsUser(reten, 'VIEWER', path(activity.id), byHand), { status: 403 })
    t.match(await callAsUser(reten, 'FDE', path(message?.id ?? ''), byHand), { status: 400 })
    t.match(await callAsUser(reten, 'FDE', path(activity.id), byHand), { status: 204 })
    t.equal(activity.status, 'DISPATCHED')
    t.match(await callAsUser(reten, 'FDE', path(activity.id), byHand), { status: 400 })
  })

  t.test('is one attempt, and no other one until it is asked for', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    t.equal(await reten.dispatchActivity(activity.id), false, 'nobody is to be sent it')
    reten.setDispatchConfig({ baseUrl: await unusedOrigin(), apiKey: 'k' })

    t.equal(await reten.dispatchActivity(activity.id), true)

    t.match(activity, { status: 'READY', dispatchAttemptCount: 1 })
    await reten.dispatchActivity(activity.id)
    await reten.dispatchActivity(activity.id)
    t.equal(activity.status, 'FAILED')
    t.equal(await reten.dispatchActivity(activity.id), false, 'nothing is left of its attempts')
  })
})
