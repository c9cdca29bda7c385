import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { RetenSandbox } from '../../../src/sandbox/start-reten-sandbox.ts'
import { callJson, rowsOf, type JsonReply } from '../call-json.ts'
import { callAsUser, callIntegration, NOON, oneActivity, receiveFrom, resultFor, startReten } from '../start-reten.ts'

const post = { method: 'POST' }
const patch = { method: 'PATCH' }

/** A creation body that nothing is wrong with, changed as wanted. */
const creation = (reten: RetenSandbox, change: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => {
  const [commerce] = reten.ready.tenant.commerces.values()
  return {
    type: 'TASK',
    reason: 'retention',
    channel: 'SALESMAN',
    commerce_id: commerce?.id,
    idempotency_key: 'k-1',
    scheduled_at: new Date(NOON).toISOString(),
    ...change,
  }
}

const create = (reten: RetenSandbox, change: Readonly<Record<string, unknown>> = {}): Promise<JsonReply> =>
  callAsUser(reten, 'FDE', 'activities', { body: creation(reten, change) })

t.test('users’ tokens', async (t) => {
  t.test('need a tenant of theirs, and the role that may', async (t) => {
    const reten = await startReten(t)
    const other = reten.createTenant({ code: 'other' })
    const tenantId = reten.ready.tenant.id
    const token = reten.createToken('VIEWER')
    const statusWith = async (headers: Record<string, string>): Promise<number> =>
      (await callJson(`${reten.url}/api/activities`, { headers })).status

    t.equal(await statusWith({ authorization: `Bearer ${token}`, 'x-tenant-id': tenantId }), 200)
    t.equal(await statusWith({ authorization: `Bearer ${token}` }), 400)
    t.equal(await statusWith({ authorization: `Bearer ${token}`, 'x-tenant-id': other.tenant.id }), 403)
    t.equal(await statusWith({ authorization: `Bearer ${token}x`, 'x-tenant-id': tenantId }), 401)
    t.equal(await statusWith({}), 401)
    t.equal(await statusWith({ 'x-api-key': reten.ready.apiKey }), 200, 'an API key will do as well')
    t.equal((await callAsUser(reten, 'VIEWER', 'activities', { body: creation(reten) })).status, 403)
    reten.clock.advance(86_400_000)
    t.equal(await statusWith({ authorization: `Bearer ${token}`, 'x-tenant-id': tenantId }), 401, 'and they expire')
  })
})

t.test('API keys of a tenant', async (t) => {
  t.test('are shown once, listed newest first without the key, and revoked once', async (t) => {
    const reten = await startReten(t)
    const token = reten.createToken('ADMIN')
    const headers = { authorization: `Bearer ${token}`, 'x-tenant-id': reten.ready.tenant.id }
    const keys = `${reten.url}/api/api-keys`

    const made = await callJson(keys, { headers, body: { name: 'dispatch', permissions: ['view_activities'] } })
    const key = String(made.body['plaintextKey'])

    t.match(made, { status: 201, body: { isActive: true, key, keyPrefix: key.slice(0, 15), revokedAt: null } })
    const listed = (await callJson(keys, { headers })).list
    t.match(listed[0], { id: made.body['id'], name: 'dispatch' })
    t.notOk('plaintextKey' in (listed[0] ?? {}))
    const revoke = `${keys}/${String(made.body['id'])}/revoke`
    t.match(await callJson(revoke, { ...post, headers }), {
      status: 200,
      body: { message: 'API key revoked successfully' },
    })
    t.match(await callJson(revoke, { ...post, headers }), { status: 400 })
    t.match(await callJson(`${keys}/${randomUUID()}/revoke`, { ...post, headers }), { status: 404 })
    t.match(await callAsUser(reten, 'ADMIN', `api-keys/${String(made.body['id'])}/revoke`, post), { status: 403 })
    const used = await callJson(`${reten.url}/api/integration/activities/tasks`, { headers: { 'x-api-key': key } })
    t.equal(used.status, 401)
  })

  t.test('may do no more than their maker, and only makers of keys make them', async (t) => {
    const reten = await startReten(t)
    const body = { name: 'too much', permissions: ['DELETE_EVERYTHING'] }

    t.match(await callAsUser(reten, 'ADMIN', 'api-keys', { body }), { status: 403 })
    t.match(await callAsUser(reten, 'FDE', 'api-keys', { body: { ...body, permissions: ['VIEW_ACTIVITIES'] } }), {
      status: 403,
    })
    t.match(await callAsUser(reten, 'ADMIN', 'api-keys', { body: { ...body, permissions: [] } }), { status: 400 })
  })
})

t.test('activities', async (t) => {
  t.test('are created READY, once per idempotency key', async (t) => {
    const reten = await startReten(t)

    t.match(await create(reten), { status: 201, body: { status: 'READY', type: 'TASK' } })
    t.match(await create(reten), { status: 409, body: { error: 'Conflict' } })
    t.match(await create(reten, { idempotency_key: 'k-2', commerce_id: randomUUID() }), { status: 404 })
    t.match(await create(reten, { idempotency_key: 'k-3', scheduled_at: undefined }), {
      status: 400,
      body: { message: 'scheduled_at is required' },
    })
  })

  t.test('are created as tasks with an operator and a route', async (t) => {
    const reten = await startReten(t)
    const [operator] = reten.ready.tenant.operators.values()
    const [route] = reten.ready.tenant.routes.values()
    const body = creation(reten, { assigned_operator_id: operator?.id, assigned_route_id: route?.id })

    const reply = await callAsUser(reten, 'FDE', 'activities/tasks', { body })

    t.match(reply, { status: 201, body: { taskDetails: { assignedOperator: { externalId: operator?.externalId } } } })
    t.match(
      await callAsUser(reten, 'FDE', 'activities/tasks', { body: { ...body, assigned_operator_id: undefined } }),
      { status: 400 },
    )
  })

  t.test('are listed with filters, and read one by one', async (t) => {
    const reten = await startReten(t)
    const [commerce] = reten.ready.tenant.commerces.values()
    if (commerce === undefined) return t.fail('the ready-made tenant is empty')
    const [wanted] = reten.createActivities(1, { commerce, channel: 'EMAIL', type: 'MESSAGE' })
    const [, otherCommerce] = reten.ready.tenant.commerces.values()
    reten.createActivities(2, otherCommerce === undefined ? {} : { commerce: otherCommerce })

    for (const query of ['channel=EMAIL', 'type=MESSAGE', `commerce_id=${commerce.id}`]) {
      t.match(await callAsUser(reten, 'VIEWER', `activities?${query}`), {
        body: {
          data: [{ id: wanted?.id, commerceAssignment: { commerceId: commerce.id } }],
          meta: { total: 1, limit: 25 },
        },
      })
    }
    t.equal(rowsOf(await callAsUser(reten, 'VIEWER', 'activities?status=READY&limit=2')).length, 2)
    t.match(
      await callAsUser(reten, 'VIEWER', 'activities?status=PENDING'),
      { status: 400 },
      'not a word of this family',
    )
    t.match(await callAsUser(reten, 'VIEWER', `activities?search=${commerce.name.slice(2, 6)}`), { status: 200 })
    t.match(await callAsUser(reten, 'VIEWER', `activities/${wanted?.id}`), {
      body: { id: wanted?.id, status: 'READY' },
    })
    t.match(await callAsUser(reten, 'VIEWER', `activities/${randomUUID()}`), { status: 404 })
  })

  t.test('tell their history with error code and message', async (t) => {
    const reten = await startReten(t)
    await receiveFrom(t, reten, () => ({ status: 401, body: { message: 'who are you' } }))
    const activity = oneActivity(reten)
    await reten.dispatchOnce()

    const reply = await callAsUser(reten, 'VIEWER', `activities/${activity.id}/status-events`)

    t.match(reply.list, [
      { eventType: 'CREATED', fromStatus: null, toStatus: 'READY', errorCode: null, errorMessage: null },
      { eventType: 'DISPATCH_ATTEMPT', fromStatus: 'READY', errorCode: null },
      { eventType: 'DISPATCH_FAILED', errorCode: 'HTTP_401', errorMessage: /who are you/, occurredAt: String },
    ])
  })

  t.test('are canceled while they wait, without telling the provider', async (t) => {
    const reten = await startReten(t)
    const receiver = await receiveFrom(t, reten)
    const activity = oneActivity(reten)
    const dispatched = oneActivity(reten)

    t.match(await callAsUser(reten, 'FDE', `activities/${activity.id}/cancel`, post), { status: 403 })
    t.match(await callAsUser(reten, 'ADMIN', `activities/${activity.id}/cancel`, post), {
      status: 200,
      body: { status: 'CANCELED' },
    })
    await reten.dispatchAll()

    t.strictSame(
      receiver.received.map(({ body }) => body['id']),
      [dispatched.id],
    )
    t.match(await callAsUser(reten, 'ADMIN', `activities/${dispatched.id}/cancel`, post), { status: 400 })
    t.equal(receiver.received.length, 1)
  })
})

t.test('resolution', async (t) => {
  t.test('leaves an activity UNRESOLVED and undispatched until it succeeds', async (t) => {
    const reten = await startReten(t, { switches: { unresolvableAttributes: ['promotions'] } })
    const receiver = await receiveFrom(t, reten)
    const { body } = await create(reten, { attribute_keys: ['promotions', 'commerce_info'] })
    const id = String(body['id'])
    const retry = (): Promise<JsonReply> => callAsUser(reten, 'FDE', `activities/${id}/retry-resolution`, patch)

    t.equal(body['status'], 'UNRESOLVED')
    await reten.dispatchOnce()
    t.equal(receiver.received.length, 0)
    t.match(await retry(), { status: 200, body: { status: 'UNRESOLVED' } })
    reten.setSwitches({ unresolvableAttributes: [] })
    t.match(await retry(), { status: 200, body: { status: 'READY' } })
    t.match(await retry(), { status: 400 })
    await reten.dispatchOnce()

    t.match(receiver.received[0]?.body, {
      id,
      attributes: [{ key: 'promotions', value: Array }, { key: 'commerce_info' }],
    })
    t.match(
      reten.activity(id)?.events.map(({ eventType }) => eventType),
      ['CREATED', 'RESOLUTION_FAILED', 'RESOLUTION_RETRY_FAILED', 'RESOLUTION_RETRY_SUCCESS', 'DISPATCH_ATTEMPT'],
    )
  })

  t.test('takes a given value, or the fallback', async (t) => {
    const reten = await startReten(t, { switches: { unresolvableAttributes: ['commerce_info'] } })
    const { body } = await create(reten, {
      attributes: [
        { key: 'promotions', value: ['P-1'] },
        { key: 'commerce_info', fallback: { segment: 'unknown' } },
      ],
    })

    const attributes = await callAsUser(reten, 'VIEWER', `activities/${String(body['id'])}/attributes`)

    t.equal(body['status'], 'READY')
    t.match(attributes.list, [
      { activityId: body['id'], value: ['P-1'], resolutionStatus: 'RESOLVED', resolverType: 'CALLER_PROVIDED' },
      { value: { segment: 'unknown' }, resolutionStatus: 'FALLBACK', errorMessage: null },
    ])
  })

  t.test('waits for the dispatch where the policy says so', async (t) => {
    const reten = await startReten(t)
    const receiver = await receiveFrom(t, reten)
    const keys = await callAsUser(reten, 'VIEWER', 'activity-config/attribute-keys')
    const keyId = keys.list.find(({ key }) => key === 'promotions')?.['id']
    const policy = { attribute_key_id: keyId, resolution_strategy: 'ON_DISPATCH' }
    await callAsUser(reten, 'ADMIN', 'activity-config/attribute-policies', { body: policy })

    const { body } = await create(reten, { attribute_keys: ['promotions'] })
    t.equal(reten.activity(String(body['id']))?.attributes[0]?.resolutionStatus, 'PENDING')
    await reten.dispatchOnce()

    t.match(receiver.received[0]?.body, { attributes: [{ key: 'promotions', value: [{ code: 'P-10' }] }] })
  })

  t.test('finds target users by role, or falls back to the owner', async (t) => {
    const reten = await startReten(t)
    const targetOf = async (key: string, role: string): Promise<unknown> => {
      const target_criteria = [{ type: 'ROLE_MATCH', config: { role }, priority: 1 }]
      const { body } = await create(reten, { idempotency_key: key, target_criteria })
      return (await callAsUser(reten, 'VIEWER', `activities/${String(body['id'])}/target-users`)).list[0]
    }

    t.match(await targetOf('k-1', 'OWNER'), { resolutionStatus: 'LOCKED', lockReason: 'CRITERIA_MATCH' })
    t.match(await targetOf('k-2', 'FINANCE'), {
      resolutionStatus: 'LOCKED',
      lockReason: 'FALLBACK_OWNER',
      commerceUser: { firstName: String, lastName: String },
    })
  })

  t.test('of a target user by hand is refused once it is locked', async (t) => {
    const reten = await startReten(t)
    const { body } = await create(reten, { target_criteria: [{ type: 'ROLE_MATCH', config: { role: 'OWNER' } }] })
    const target = reten.activity(String(body['id']))?.targetUsers[0]
    const path = `activities/${String(body['id'])}/target-users/${target?.id}/resolve`

    t.match(await callAsUser(reten, 'FDE', path, patch), { status: 400 })
    if (target !== undefined) target.resolutionStatus = 'FAILED'
    t.match(await callAsUser(reten, 'FDE', path, patch), { status: 200, body: { lockReason: 'MANUAL_ASSIGNMENT' } })
  })
})

t.test('POST /api/activity-results/tasks', async (t) => {
  const send = (reten: RetenSandbox, body: unknown): Promise<JsonReply> =>
    callAsUser(reten, 'FDE', 'activity-results/tasks', { body })

  t.test('has words of its own, each with its effect', async (t) => {
    const reten = await startReten(t)
    for (const [status, becomes] of [
      ['PENDING', 'READY'],
      ['COMPLETED', 'COMPLETED'],
      ['NOT_EXECUTED', 'FAILED'],
      ['CANCELED', 'CANCELED'],
      ['TRANSFERRED', 'COMPLETED'],
    ] as const) {
      const activity = oneActivity(reten)

      t.match(await send(reten, resultFor(activity, { status })), { status: 201, body: { resultStatus: status } })
      t.equal(activity.status, becomes, status)
    }
    t.match(await send(reten, resultFor(oneActivity(reten), { status: 'EFFECTIVE' })), { status: 400 })
  })

  t.test('takes the flat spelling too', async (t) => {
    const reten = await startReten(t)
    const activity = oneActivity(reten)
    const body = {
      activityId: activity.id,
      commerceExternalId: activity.commerce.externalId,
      status: 'COMPLETED',
      occurredAt: new Date(NOON).toISOString(),
    }

    t.match(await send(reten, { ...body, status: 'DONE' }), { status: 400, body: { message: /status/ } })
    t.match(await send(reten, body), { status: 201, body: { activityId: activity.id } })
    t.match(await send(reten, body), { status: 409 })
  })

  t.test('registers a result of its own where no activity is named or found', async (t) => {
    const reten = await startReten(t)
    const body = resultFor(oneActivity(reten), { activity_id: undefined, status: 'COMPLETED' })

    t.match(await send(reten, body), { status: 201, body: { source: 'STANDALONE' } })
  })

  t.test('cancels a dispatched activity, which the integration list spells its own way', async (t) => {
    const reten = await startReten(t)
    await receiveFrom(t, reten)
    const activity = oneActivity(reten)
    await reten.dispatchOnce()

    await send(reten, resultFor(activity, { status: 'CANCELED' }))

    t.match(rowsOf(await callIntegration(reten, 'activities/tasks')), [{ status: 'CANCELLED' }])
  })
})
