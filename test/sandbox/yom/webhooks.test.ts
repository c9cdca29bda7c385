import t from 'tap'
import { createFaults } from '../../../src/sandbox/faults.ts'
import { callJson } from '../call-json.ts'
import { hearFrom, sendTask, startYom } from '../start-yom.ts'
import { NOON } from '../start-reten.ts'

t.test('calling back', async (t) => {
  t.test('tells how a task ended in the default body, with the token in x-api-key', async (t) => {
    const yom = await startYom(t)
    const receiver = await hearFrom(t, yom)
    const { body } = await sendTask(yom, 'e-1')

    yom.clock.advance(2000)
    await yom.drained()

    t.match(receiver.received, [
      {
        path: '/webhooks/yom',
        headers: { 'x-api-key': 'our-token', 'content-type': 'application/json' },
        body: {
          dispatchId: 'e-1',
          activityId: 'a-e-1',
          providerTaskId: body['id'],
          eventId: /^evt_/,
          status: /^(NOT_)?EFFECTIVE$/,
          result: String,
          occurredAt: /^2026-05-04T12:00:0[0-2]/,
          comment: String,
          contactType: 'OUTBOUND',
          operatorExternalId: 'V-01',
        },
      },
    ])
    t.match(yom.counts(), { eventsDelivered: 1, webhookSends: 1, byStatus: { DONE: 1 } })
  })

  t.test('ends alike for the same seed, and with each configured result', async (t) => {
    const resultsOf = async (seed: number): Promise<unknown[]> => {
      const yom = await startYom(t, { seed })
      for (let number = 0; number < 30; number += 1) await sendTask(yom, `e-${number}`)
      yom.clock.advance(2000)
      return yom.tasks().map(({ outcome }) => outcome?.result)
    }

    const first = await resultsOf(1)

    t.strictSame(await resultsOf(1), first)
    t.notSame(await resultsOf(2), first)
    t.strictSame(new Set(first), new Set(['SALE_COMPLETED', 'NOT_INTERESTED', 'NO_CONTACT', 'RESCHEDULE']))
  })

  t.test('names a future date where the result has one', async (t) => {
    const results = [{ code: 'RESCHEDULE', status: 'NOT_EFFECTIVE', hasFutureDate: true }] as const
    const yom = await startYom(t, { switches: { results } })
    const receiver = await hearFrom(t, yom)
    await sendTask(yom, 'e-1')

    yom.clock.advance(2000)
    await yom.drained()

    t.ok(Date.parse(String(receiver.received[0]?.body['futureScheduledAt'])) > yom.clock.nowMs())
  })

  t.test('tries again after a refusal until it is heard', async (t) => {
    const yom = await startYom(t)
    const receiver = await hearFrom(t, yom, (_request, count) => ({ status: count < 3 ? 503 : 202 }))
    await sendTask(yom, 'e-1')
    yom.finishTask('e-1')
    await yom.idle()

    yom.clock.advance(500)
    await yom.idle()
    t.equal(receiver.received.length, 2)
    yom.clock.advance(1000)
    await yom.idle()

    t.equal(new Set(receiver.received.map(({ body }) => body['eventId'])).size, 1, 'always the same event')
    t.match(yom.tasksFor('e-1')[0]?.events, [
      { state: 'delivered', sends: [{ statusCode: 503 }, { statusCode: 503 }, { statusCode: 202, error: null }] },
    ])
  })

  t.test('gives up after its tries, also where nobody listens', async (t) => {
    const yom = await startYom(t, { switches: { webhookAttempts: 2 } })
    const receiver = await hearFrom(t, yom)
    await receiver.close()
    await sendTask(yom, 'e-1')
    yom.finishTask('e-1')
    await yom.idle()
    yom.clock.advance(500)
    await yom.idle()

    t.match(yom.counts(), { eventsGivenUp: 1, eventsDelivered: 0, webhookSends: 2 })
  })

  t.test('does not happen where tasks are polled, or never reported', async (t) => {
    for (const completion of ['poll', 'none'] as const) {
      const yom = await startYom(t, { switches: { completion } })
      const receiver = await hearFrom(t, yom)
      await sendTask(yom, 'e-1')

      yom.clock.advance(60_000)
      await yom.idle()

      t.equal(receiver.received.length, 0)
      t.match(yom.tasks(), [{ status: completion === 'poll' ? 'DONE' : 'OPEN' }])
    }
  })

  t.test('tells that the work began where it is told to', async (t) => {
    const yom = await startYom(t, { switches: { sendsProgress: true } })
    const receiver = await hearFrom(t, yom)
    await sendTask(yom, 'e-1')
    await yom.idle()
    yom.clock.advance(2000)
    await yom.drained()

    t.match(
      receiver.received.map(({ body }) => body['status']),
      ['PENDING', /EFFECTIVE/],
    )
  })
})

t.test('faults of calling back', async (t) => {
  t.test('double an event, keeping its id', async (t) => {
    const yom = await startYom(t)
    const receiver = await hearFrom(t, yom)
    yom.faults.script('webhook', ['doubled'])
    await sendTask(yom, 'e-1')

    yom.clock.advance(2000)
    await yom.drained()

    t.equal(receiver.received.length, 2)
    t.strictSame(receiver.received[0]?.body, receiver.received[1]?.body)
  })

  t.test('hold an event back long after it happened', async (t) => {
    const yom = await startYom(t)
    const receiver = await hearFrom(t, yom)
    yom.faults.script('webhook', ['late'])
    await sendTask(yom, 'e-1')

    yom.clock.advance(29_000)
    await yom.idle()
    t.equal(receiver.received.length, 0)
    yom.clock.advance(5000)
    await yom.drained()

    t.ok(Date.parse(String(receiver.received[0]?.body['occurredAt'])) <= NOON + 2000)
  })

  t.test('tell the beginning after the end', async (t) => {
    const yom = await startYom(t)
    const receiver = await hearFrom(t, yom)
    yom.faults.script('webhook', ['reordered'])
    await sendTask(yom, 'e-1')

    yom.clock.advance(2000)
    await yom.idle()
    yom.clock.advance(2000)
    await yom.drained()

    const [end, beginning] = receiver.received.map(({ body }) => body)
    t.match([end?.['status'], beginning?.['status']], [/EFFECTIVE/, 'PENDING'])
    t.ok(String(beginning?.['occurredAt']) < String(end?.['occurredAt']))
  })

  t.test('tell the end before the creation is answered', async (t) => {
    const yom = await startYom(t)
    const order: string[] = []
    await hearFrom(t, yom, () => {
      order.push('webhook')
      return { status: 202 }
    })
    yom.faults.script('webhook', ['early'])

    await sendTask(yom, 'e-1')
    order.push('answer')

    t.strictSame(order, ['webhook', 'answer'])
    t.match(yom.tasks(), [{ status: 'DONE' }])
  })

  t.test('are drawn from their profile', async (t) => {
    const faults = createFaults(1, { profile: 'storm' })

    const kinds = Array.from({ length: 300 }, (_, index) => faults.draw('webhook', `task-${index}`)?.kind)

    t.strictSame(new Set(kinds), new Set([undefined, 'doubled', 'late', 'reordered', 'early']))
  })
})

t.test('/sandbox on YOM’s stand-in', async (t) => {
  t.test('steers tasks and shows all that happened to them', async (t) => {
    const yom = await startYom(t)
    const receiver = await hearFrom(t, yom)
    const sandbox = `${yom.url}/sandbox`
    await sendTask(yom, 'e-1')

    const outcome = { status: 'NOT_EFFECTIVE', result: 'NO_CONTACT', occurredAt: '2026-05-01T08:00:00.000Z' }
    t.match(await callJson(`${sandbox}/tasks/e-1/finish`, { body: outcome }), { body: { status: 'DONE', outcome } })
    t.match(await callJson(`${sandbox}/tasks/e-1/finish`, { method: 'POST' }), { status: 409 })
    await yom.idle()
    t.match(await callJson(`${sandbox}/tasks/e-1/resend`, { method: 'POST' }), { body: { eventId: /^evt_/ } })
    await yom.idle()

    t.match(receiver.received, [{ body: outcome }, { body: outcome }])
    t.match(await callJson(`${sandbox}/tasks/e-1`), { body: { events: [{ sends: [{}, {}], state: 'delivered' }] } })
    t.match(await callJson(`${sandbox}/tasks?externalId=e-1`), { body: { total: 1 } })
    t.match(await callJson(`${sandbox}/tasks/unknown/finish`, { method: 'POST' }), { status: 404 })
    t.match(await callJson(`${sandbox}/counts`), { body: { tasks: 1, running: 0, eventsDelivered: 1 } })
  })

  t.test('sets the webhook and sends anything to it', async (t) => {
    const yom = await startYom(t)
    const receiver = await hearFrom(t, yom)
    const target = { url: `${receiver.url}/elsewhere`, token: 'other' }

    await callJson(`${yom.url}/sandbox/webhook`, { method: 'PUT', body: target })
    const sent = await callJson(`${yom.url}/sandbox/webhook/send`, { body: { status: 'UNHEARD_OF' } })

    t.match(sent.body, { statusCode: 200 })
    t.match(receiver.received, [
      { path: '/elsewhere', headers: { 'x-api-key': 'other' }, body: { status: 'UNHEARD_OF' } },
    ])
  })

  t.test('says that it is not YOM, turns switches and revokes tokens', async (t) => {
    const yom = await startYom(t)

    t.match(await callJson(`${yom.url}/sandbox`), { body: { about: /not YOM's API/ } })
    const change = { method: 'PATCH', body: { idempotency: 'none' } }
    t.match(await callJson(`${yom.url}/sandbox/switches`, change), { body: { idempotency: 'none' } })
    t.match(await callJson(`${yom.url}/sandbox/tokens/revoke`, { method: 'POST' }), { body: { generation: 1 } })
  })
})
