import { randomUUID } from 'node:crypto'
import t from 'tap'
import { callAsUser, oneActivity, startReten } from '../start-reten.ts'

t.test('dispatch configuration', async (t) => {
  t.test('names the providers with what they need', async (t) => {
    const reten = await startReten(t)

    const { list } = await callAsUser(reten, 'VIEWER', 'dispatch-providers')

    t.match(list[0], {
      code: 'YOM',
      name: 'YOM Provider',
      protocolType: 'REST',
      isActive: true,
      channelDefinitions: [
        {
          channel: 'SALESMAN',
          credentialSchema: [{ key: 'apiKey', label: 'API Key', type: 'password', required: true }],
          settingsSchema: [],
        },
      ],
    })
    t.match(await callAsUser(reten, 'VIEWER', `dispatch-providers/${String(list[0]?.['id'])}/channel-definitions`), {
      list: [{ dispatchProviderId: list[0]?.['id'], channel: 'SALESMAN', createdAt: String }],
    })
    t.match(await callAsUser(reten, 'VIEWER', `dispatch-providers/${randomUUID()}/channel-definitions`), {
      status: 404,
    })
  })

  t.test('is made in either spelling, once per provider and channel, and never shows credentials', async (t) => {
    const reten = await startReten(t)
    const [provider] = (await callAsUser(reten, 'VIEWER', 'dispatch-providers')).list
    const credentials = { apiKey: 'secret' }
    const snake = {
      dispatch_provider_id: provider?.['id'],
      channel: 'SALESMAN',
      base_url: 'http://a.example',
      credentials,
    }
    const camel = { dispatchProviderId: provider?.['id'], channel: 'EMAIL', baseUrl: 'http://b.example', credentials }

    t.match(await callAsUser(reten, 'FDE', 'dispatch-configs', { body: snake }), { status: 403 })
    t.match(await callAsUser(reten, 'ADMIN', 'dispatch-configs', { body: snake }), { status: 201 })
    t.match(await callAsUser(reten, 'ADMIN', 'dispatch-configs', { body: camel }), { status: 201 })
    t.match(await callAsUser(reten, 'ADMIN', 'dispatch-configs', { body: camel }), { status: 409 })
    const { list } = await callAsUser(reten, 'VIEWER', 'dispatch-configs')
    t.match(list, [
      { channel: 'SALESMAN', baseUrl: 'http://a.example', isActive: true, dispatchProvider: { code: 'YOM' } },
      { channel: 'EMAIL', baseUrl: 'http://b.example' },
    ])
    t.notMatch(JSON.stringify(list), /secret/)
  })

  t.test('is switched off and deleted', async (t) => {
    const reten = await startReten(t)
    reten.setDispatchConfig({ baseUrl: 'http://a.example', apiKey: 'k', channel: 'SALESMAN' })
    const [config] = (await callAsUser(reten, 'VIEWER', 'dispatch-configs')).list
    const path = `dispatch-configs/${String(config?.['id'])}`
    oneActivity(reten)

    const off = await callAsUser(reten, 'ADMIN', path, { method: 'PATCH', body: { is_active: false } })

    t.match(off, { status: 200, body: { isActive: false } })
    t.match(await reten.dispatchOnce(), { attempted: 0 })
    t.match(await callAsUser(reten, 'ADMIN', path, { method: 'DELETE' }), { status: 204 })
    t.match(await callAsUser(reten, 'ADMIN', path, { method: 'DELETE' }), { status: 404 })
  })

  t.test('to MOCK always succeeds, with a random id and without a call', async (t) => {
    const reten = await startReten(t)
    const provider = (await callAsUser(reten, 'VIEWER', 'dispatch-providers')).list.find(({ code }) => code === 'MOCK')
    const body = { dispatch_provider_id: provider?.['id'], channel: 'SALESMAN' }
    await callAsUser(reten, 'ADMIN', 'dispatch-configs', { body })
    const activity = oneActivity(reten)

    await reten.dispatchOnce()

    t.match(activity, { status: 'DISPATCHED', providerActivityId: /^[0-9a-f-]{36}$/ })
  })
})

t.test('activity configuration', async (t) => {
  t.test('keeps one policy per attribute key, in either spelling', async (t) => {
    const reten = await startReten(t)
    const [key] = (await callAsUser(reten, 'VIEWER', 'activity-config/attribute-keys')).list
    const save = (body: unknown): Promise<{ status: number }> =>
      callAsUser(reten, 'ADMIN', 'activity-config/attribute-policies', { body })

    await save({ attribute_key_id: key?.['id'], resolution_strategy: 'UPFRONT', resolver_type: 'INTERNAL_SERVICE' })
    await save({ attributeKeyId: key?.['id'], strategy: 'ON_DISPATCH', resolverType: 'CLIENT_HOOK' })

    t.match(await callAsUser(reten, 'VIEWER', 'activity-config/attribute-policies'), {
      list: [{ attributeKeyId: key?.['id'], strategy: 'ON_DISPATCH', resolverType: 'CLIENT_HOOK' }],
    })
    t.match(await save({ attributeKeyId: randomUUID(), strategy: 'UPFRONT' }), { status: 404 })
    t.match(await save({ attributeKeyId: key?.['id'] }), { status: 400 })
  })

  t.test('shows the fallbacks of target resolution and the catalogue of user statuses', async (t) => {
    const reten = await startReten(t)

    t.match(await callAsUser(reten, 'VIEWER', 'activity-config/target-resolution'), {
      body: { fallbackToCommerceRep: true, fallbackToOwner: true },
    })
    t.match(await callAsUser(reten, 'VIEWER', 'user-retention-statuses?active_only=true'), {
      list: [{ code: 'active' }, { code: 'at_risk' }, { code: 'churned' }],
    })
  })
})

t.test('master data', async (t) => {
  t.test('holds commerces, upserted by external id', async (t) => {
    const reten = await startReten(t, { tenant: { commerces: 1 } })
    const items = [
      { external_id: 'C-1001', name: 'Renamed' },
      { external_id: 'N-1', name: 'New' },
    ]

    const reply = await callAsUser(reten, 'ADMIN', 'commerces/sync', { body: { items } })

    t.match(reply, { status: 201, body: { created: 1, updated: 1, total: 2 } })
    const listed = await callAsUser(reten, 'VIEWER', 'commerces?search=new')
    t.match(listed.body, { data: [{ externalId: 'N-1', isPlaceholder: false }], meta: { total: 1 } })
    const [commerce] = reten.ready.tenant.commerces.values()
    t.match(await callAsUser(reten, 'VIEWER', `commerces/${commerce?.id}`), {
      body: { name: 'Renamed', users: [{ roles: [{ role: 'OWNER' }] }], addresses: [{ isPrimary: true }] },
    })
    t.match(await callAsUser(reten, 'VIEWER', `commerces/${randomUUID()}`), { status: 404 })
  })

  t.test('holds operators, unique by type and external id together', async (t) => {
    const reten = await startReten(t, { tenant: { operators: 0 } })
    const add = (type: string): Promise<{ status: number }> =>
      callAsUser(reten, 'ADMIN', 'operators', { body: { type, external_id: 'V-1', name: 'Ana' } })

    t.match(await add('SALESMAN'), { status: 201 })
    t.match(await add('SALESMAN'), { status: 409 })
    t.match(await add('CALLCENTER'), { status: 201 })
    const items = [
      { type: 'SALESMAN', external_id: 'V-1', name: 'Ana Rojas' },
      { type: 'SALESMAN', external_id: 'V-2', name: 'Luis' },
    ]
    t.match(await callAsUser(reten, 'ADMIN', 'operators/sync', { body: { items } }), {
      status: 201,
      body: { created: 1, updated: 1, total: 2 },
    })
  })

  t.test('puts operators on routes, as often as asked with the same effect', async (t) => {
    const reten = await startReten(t)
    const [route] = reten.ready.tenant.routes.values()
    const [, operator] = reten.ready.tenant.operators.values()
    const path = `routes/${route?.id}/operators`
    const body = { operatorId: operator?.id, role: 'MEMBER' }

    t.match(await callAsUser(reten, 'ADMIN', path, { body }), { status: 201 })
    t.match(await callAsUser(reten, 'ADMIN', path, { body }), { status: 201 })
    t.equal(route?.operators.size, 2)
    t.match(await callAsUser(reten, 'ADMIN', `${path}/${operator?.id}`, { method: 'DELETE' }), { status: 204 })
    t.equal(route?.operators.size, 1)
    t.match(await callAsUser(reten, 'ADMIN', `routes/${randomUUID()}/operators`, { body }), { status: 404 })
  })
})
