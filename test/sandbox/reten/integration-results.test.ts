import t from 'tap'
import { callIntegration, NOON, oneActivity, resultFor, startReten } from '../start-reten.ts'

const RESULTS = 'activity-results/tasks'
const at = (offsetMs: number): string => new Date(NOON + offsetMs).toISOString()

t.test('POST /api/integration/activity-results/tasks', async (t) => {
  t.test('answers 201 with an id and completes the activity', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)

    const reply = await callIntegration(reten, RESULTS, resultFor(activity))

    t.match(reply, {
      status: 201,
      body: { id: /^[0-9a-f-]{36}$/, activityId: activity.id, source: 'RETEN_ACTIVITY', resultStatus: 'EFFECTIVE' },
    })
    t.equal(activity.status, 'COMPLETED')
    t.match(reten.counts(), { registered: 1, registrations: 1, doubled: 0, resultRequests: 1 })
  })

  t.test('finds the activity by the provider id from the dispatch reply', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    reten.ready.tenant.byProviderActivityId.set('yom-1', activity)

    const body = resultFor(activity, { activity_id: undefined, provider_activity_id: 'yom-1' })

    t.match(await callIntegration(reten, RESULTS, body), { status: 201, body: { activityId: activity.id } })
  })

  t.test('goes by the activity id when both ids are sent', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)

    const body = resultFor(activity, { provider_activity_id: 'of another one' })

    t.match(await callIntegration(reten, RESULTS, body), { status: 201, body: { activityId: activity.id } })
  })

  t.test('refuses a body that does not fit, naming the field', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    const refused = async (change: Record<string, unknown>, message: RegExp): Promise<void> => {
      const reply = await callIntegration(reten, RESULTS, resultFor(activity, change))
      t.match(reply, { status: 400, body: { statusCode: 400, error: 'Bad Request', message } })
    }

    await refused({ commerce_external_id: undefined }, /^commerce_external_id is required$/)
    await refused({ occurred_at: 'yesterday' }, /^occurred_at must match format/)
    await refused({ status: 'COMPLETED' }, /^status must be equal to one of/)
    await refused({ task_result: { result: 3 } }, /^task_result\.result must be string$/)
    await refused({ task_result: undefined }, /^task_result is required$/)
    await refused({ task_result: { result: 'UNHEARD_OF' } }, /^task_result\.result UNHEARD_OF/)
    await refused({ activity_id: 'not-a-uuid' }, /^activity_id must match format/)
    await refused({ activity_id: undefined }, /^activity_id or provider_activity_id is required$/)
    t.equal(reten.counts().registrations, 0)
  })

  t.test('gives the messages of a 400 as a list when told to', async (t) => {
    const reten = await startReten(t, { switches: { messageShape: 'array' } })

    const reply = await callIntegration(reten, RESULTS, { status: 'EFFECTIVE' })

    t.match(reply.body, { message: ['commerce_external_id is required', 'occurred_at is required', /task_result/] })
  })

  t.test('asks for a future date where the code needs one', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    const send = (date?: string): Promise<{ status: number }> =>
      callIntegration(
        reten,
        RESULTS,
        resultFor(activity, { task_result: { result: 'RESCHEDULE', future_scheduled_at: date } }),
      )

    t.match(await send(), { status: 400, body: { message: /future_scheduled_at is required/ } })
    t.match(await send(at(0)), { status: 400, body: { message: /must be in the future/ } })
    t.match(await send(at(60_000)), { status: 201 })
  })

  t.test('answers 404 for ids that are not in the tenant', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    const other = reten.createTenant({ code: 'other' })
    const [foreign] = reten.createActivities(1, {}, 'other')
    const notFound = async (change: Record<string, unknown>): Promise<void> => {
      t.match(await callIntegration(reten, RESULTS, resultFor(activity, change)), { status: 404 })
    }

    await notFound({ activity_id: foreign?.id })
    await notFound({ commerce_external_id: 'C-none' })
    await notFound({ task_result: { result: 'NO_CONTACT', operator_external_id: 'V-none' } })
    t.not(other.apiKey, reten.ready.apiKey)
  })

  t.test('registers a result of its own for an unknown activity when told to', async (t) => {
    const reten = await startReten(t, { switches: { unmatchedActivity: 'standalone' } })
    const body = resultFor(oneActivity(reten), { activity_id: '00000000-0000-4000-8000-000000000000' })

    const reply = await callIntegration(reten, RESULTS, body)
    await callIntegration(reten, RESULTS, body)

    t.match(reply, { status: 201, body: { source: 'STANDALONE', activityId: null } })
    t.match(reten.counts(), { standalone: 2, doubled: 1 })
  })

  t.test('refuses a commerce that is not the activity’s, unless told to accept it', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    const other = [...reten.ready.tenant.commerces.values()].find((commerce) => commerce !== activity.commerce)
    const body = resultFor(activity, { commerce_external_id: other?.externalId })

    t.match(await callIntegration(reten, RESULTS, body), { status: 400 })
    reten.setSwitches({ commerceMismatch: 'accept' })
    t.match(await callIntegration(reten, RESULTS, body), { status: 201 })
  })

  t.test('makes a placeholder of an unknown operator when told to', async (t) => {
    const reten = await startReten(t, { switches: { unknownOperator: 'placeholder' } })
    const body = resultFor(oneActivity(reten), {
      task_result: { result: 'NO_CONTACT', operator_external_id: 'V-new' },
    })

    t.match(await callIntegration(reten, RESULTS, body), { status: 201 })
    t.match(
      [...reten.ready.tenant.operators.values()].find(({ externalId }) => externalId === 'V-new'),
      { isPlaceholder: true },
    )
  })
})

t.test('a second result', async (t) => {
  t.test('is refused with 409 and leaves the first as it is', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    await callIntegration(reten, RESULTS, resultFor(activity))

    const reply = await callIntegration(reten, RESULTS, resultFor(activity, { status: 'NOT_EFFECTIVE' }))

    t.match(reply, { status: 409, body: { statusCode: 409, error: 'Conflict' } })
    t.equal(activity.result?.resultStatus, 'EFFECTIVE')
    t.match(reten.counts(), { registrations: 1, conflicts: 1, doubled: 0 })
  })

  t.test('replaces the first by hard_override when it occurred after that was written', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    await callIntegration(reten, RESULTS, resultFor(activity))
    const change = { hard_override: true, status: 'NOT_EFFECTIVE', task_result: { result: 'NO_CONTACT' } }

    const reply = await callIntegration(reten, RESULTS, resultFor(activity, { ...change, occurred_at: at(1) }))

    t.match(reply, { status: 201, body: { resultStatus: 'NOT_EFFECTIVE' } })
    t.match(reten.counts(), { registrations: 2, registered: 1, doubled: 0 })
  })

  t.test('is refused by the temporal guard in spite of hard_override, by 409 or 400', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    await callIntegration(reten, RESULTS, resultFor(activity))
    const correction = resultFor(activity, { hard_override: true, occurred_at: at(0), status: 'NOT_EFFECTIVE' })

    t.match(await callIntegration(reten, RESULTS, correction), { status: 409 })
    reten.setSwitches({ temporalGuardStatus: 400 })
    t.match(await callIntegration(reten, RESULTS, correction), { status: 400 })
    t.equal(activity.result?.resultStatus, 'EFFECTIVE')
  })

  t.test('is counted as doubled when it replaces the first with the same', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    await callIntegration(reten, RESULTS, resultFor(activity))

    await callIntegration(reten, RESULTS, resultFor(activity, { hard_override: true, occurred_at: at(1) }))

    t.equal(reten.counts().doubled, 1)
  })

  t.test('needs hard_override after a PENDING one too, and is not doubled then', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    await callIntegration(reten, RESULTS, resultFor(activity, { status: 'PENDING' }))
    t.equal(activity.status, 'READY', 'PENDING leaves the activity as it is')

    const final = resultFor(activity, { occurred_at: at(1) })

    t.match(await callIntegration(reten, RESULTS, final), { status: 409 })
    t.match(await callIntegration(reten, RESULTS, { ...final, hard_override: true }), { status: 201 })
    t.match(reten.counts(), { registered: 1, pending: 0, registrations: 2, doubled: 0 })
  })
})

t.test('what a result does to its activity', async (t) => {
  t.test('NOT_EFFECTIVE completes it, or fails it when told to', async (t) => {
    const reten = await startReten(t)
    const first = oneActivity(reten)
    const second = oneActivity(reten)

    await callIntegration(reten, RESULTS, resultFor(first, { status: 'NOT_EFFECTIVE' }))
    reten.setSwitches({ notEffectiveBecomes: 'FAILED' })
    await callIntegration(reten, RESULTS, resultFor(second, { status: 'NOT_EFFECTIVE' }))

    t.strictSame([first.status, second.status], ['COMPLETED', 'FAILED'])
  })

  t.test('a canceled activity takes none, except by hard_override', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    reten.cancelActivity(activity.id)

    t.match(await callIntegration(reten, RESULTS, resultFor(activity)), { status: 409 })
    reten.setSwitches({ transitionGuardStatus: 400 })
    t.match(await callIntegration(reten, RESULTS, resultFor(activity)), { status: 400 })
    t.match(await callIntegration(reten, RESULTS, resultFor(activity, { hard_override: true })), { status: 201 })
  })

  t.test('one whose dispatch failed takes it, or refuses it when told to', async (t) => {
    const reten = await startReten(t, { switches: { failedTakesResults: 'refuse' } })
    const activity = oneActivity(reten)
    activity.status = 'FAILED'

    t.match(await callIntegration(reten, RESULTS, resultFor(activity)), { status: 409 })
    reten.setSwitches({ failedTakesResults: 'accept' })
    t.match(await callIntegration(reten, RESULTS, resultFor(activity)), { status: 201 })
  })
})

t.test('the results endpoint under faults', async (t) => {
  t.test('has registered the result whose answer was lost, and answers the repeat with 409', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    reten.faults.script('results', ['lost_after'])

    await t.rejects(callIntegration(reten, RESULTS, resultFor(activity)))

    t.match(await callIntegration(reten, RESULTS, resultFor(activity)), { status: 409 })
    t.match(reten.counts(), { registered: 1, registrations: 1, doubled: 0 })
  })

  t.test('has registered nothing when it throttles', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    reten.faults.script('results', ['throttled_seconds'])

    const reply = await callIntegration(reten, RESULTS, resultFor(activity))

    t.match(reply, { status: 429, body: { statusCode: 429, error: 'Too Many Requests' } })
    t.equal(reply.headers.get('retry-after'), '1')
    t.equal(reten.counts().registered, 0)
  })
})
