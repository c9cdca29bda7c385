import t from 'tap'
import { callJson, rowsOf } from '../call-json.ts'
import { callYom, sendTask, startYom } from '../start-yom.ts'

t.test('the token grant', async (t) => {
  t.test('answers a JWT with an expiry, under the documented name, that opens the tasks', async (t) => {
    const yom = await startYom(t)
    const { clientId, clientSecret } = yom.credentials
    const body = { client_id: clientId, client_secret: clientSecret, grant_type: 'client_credentials' }

    const grant = await callJson(`${yom.url}/api/v2/auth/tokens/grant`, { body })
    const token = String(grant.body['accessToken'])
    const [, payload = ''] = token.split('.')
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())

    t.match(claims, { domain: String, customerId: String, roles: Array, permissions: Array, exp: Number })
    const headers = { authorization: `Bearer ${token}` }
    const task = { headers, body: { externalId: 'e-1', commerceId: 'C-1' } }
    t.match(await callJson(`${yom.url}/activities`, task), { status: 201 })
  })

  t.test('refuses other credentials and other grants', async (t) => {
    const yom = await startYom(t)
    const { clientId, clientSecret } = yom.credentials
    const body = { client_id: clientId, client_secret: clientSecret, grant_type: 'client_credentials' }
    const url = `${yom.url}/auth/tokens/grant`

    t.match(await callJson(url, { body: { ...body, client_secret: 'wrong' } }), { status: 401 })
    t.match(await callJson(url, { body: { ...body, grant_type: 'password' } }), { status: 400 })
  })

  t.test('gives tokens that expire and can be revoked', async (t) => {
    const yom = await startYom(t, { switches: { tokenLifetimeSeconds: 60 } })
    const { clientId, clientSecret } = yom.credentials
    const body = { client_id: clientId, client_secret: clientSecret, grant_type: 'client_credentials' }
    const grant = async (): Promise<string> =>
      String((await callJson(`${yom.url}/auth/tokens/grant`, { body })).body['accessToken'])
    const list = (token: string): Promise<unknown> =>
      callJson(`${yom.url}/activities`, { headers: { authorization: `Bearer ${token}` } })

    const first = await grant()
    t.match(await list(first), { status: 200 })
    yom.clock.advance(60_000)
    t.match(await list(first), {
      status: 401,
      body: { name: 'TokenExpiredError', errorCode: /^[A-Z]{2}401\d+$/, errors: { expiredAt: String } },
    })
    const second = await grant()
    yom.revokeTokens()
    t.match(await list(second), { status: 401, body: { name: 'AuthenticationError' } })
  })

  t.test('can be struck by faults of its own', async (t) => {
    const yom = await startYom(t)
    yom.faults.script('token', ['error_before'])

    t.match(
      await callJson(`${yom.url}/auth/tokens/grant`, {
        body: { client_id: 'a', client_secret: 'b', grant_type: 'client_credentials' },
      }),
      { status: 500 },
    )
  })
})

t.test('creating a task', async (t) => {
  t.test('answers 201 with YOM’s id beside ours', async (t) => {
    const yom = await startYom(t)

    const reply = await sendTask(yom, 'e-1')

    t.match(reply, { status: 201, body: { status: 'CREATED', internalTaskId: /^[0-9a-f]{24}$/, externalId: 'e-1' } })
    t.equal(reply.body['id'], reply.body['internalTaskId'])
    t.match(yom.tasksFor('e-1'), [{ commerceId: 'C-1001', sellerId: 'V-01', activityId: 'a-e-1', status: 'OPEN' }])
  })

  t.test('takes the idempotency key for our id where that is missing', async (t) => {
    const yom = await startYom(t)
    const headers = { 'idempotency-key': 'k-1' }

    t.match(await callYom(yom, '/activities', { headers, body: { commerceId: 'C-1' } }), {
      body: { externalId: 'k-1' },
    })
    t.match(await callYom(yom, '/activities', { body: { commerceId: 'C-1' } }), { status: 400 })
  })

  t.test('refuses a body that does not fit in the shape of YOM’s known error', async (t) => {
    const yom = await startYom(t)

    t.match(await sendTask(yom, 'e-1', { commerceId: undefined }), {
      status: 400,
      body: { name: 'ValidationError', message: 'commerceId is required', errorCode: 'VA400001', errors: {} },
    })
    t.match(await sendTask(yom, 'e-1', { sellerId: 7 }), { status: 400 })
    t.equal(yom.counts().tasks, 0)
  })

  t.test('refuses strangers, and the old key once it is replaced', async (t) => {
    const yom = await startYom(t)
    const body = { externalId: 'e-1', commerceId: 'C-1' }
    t.match(await callJson(`${yom.url}/activities`, { body }), { status: 401 })
    t.match(await callJson(`${yom.url}/activities`, { body, headers: { 'x-api-key': 'x' } }), { status: 401 })

    const headers = { 'x-api-key': yom.credentials.apiKey }
    yom.setApiKey('fresh')

    t.match(await callJson(`${yom.url}/activities`, { body, headers }), { status: 401 })
    t.match(await callJson(`${yom.url}/activities`, { body, headers: { 'x-api-key': 'fresh' } }), { status: 201 })
  })

  t.test('refuses for good what the customer does not have', async (t) => {
    const yom = await startYom(t, { switches: { unknownCommerces: ['C-9'] } })

    t.match(await sendTask(yom, 'e-1', { commerceId: 'C-9' }), { status: 404, body: { errors: { commerceId: 'C-9' } } })
    yom.setSwitches({ hasTasks: false })
    t.match(await sendTask(yom, 'e-2'), { status: 403 })
  })

  t.test('throttles beyond the requests of a second', async (t) => {
    const yom = await startYom(t, { switches: { requestsPerSecond: 1 } })

    const replies = await Promise.all(['e-1', 'e-2', 'e-3', 'e-4'].map((id) => sendTask(yom, id)))

    const refused = replies.filter(({ status }) => status === 429)
    t.ok(refused.length >= 2)
    t.equal(refused[0]?.headers.get('retry-after'), '1')
  })

  t.test('listens where it is told', async (t) => {
    const yom = await startYom(t, { taskPath: '/v3/tasks' })
    const body = { externalId: 'e-1', commerceId: 'C-1' }

    t.match(await callYom(yom, '/v3/tasks', { body }), { status: 201 })
    t.match(await callYom(yom, '/activities', { body }), { status: 404 })
  })
})

t.test('a repeat', async (t) => {
  t.test('with the same key is answered with the same task', async (t) => {
    const yom = await startYom(t)

    const [first, second] = [await sendTask(yom, 'e-1'), await sendTask(yom, 'e-1')]

    t.match(second, { status: 200, body: { status: 'EXISTING', id: first.body['id'] } })
    t.match(yom.counts(), { tasks: 1, repeats: 1, doubled: 0 })
  })

  t.test('with the same key and another body is refused, or answered alike when told to', async (t) => {
    const yom = await startYom(t)
    const first = await sendTask(yom, 'e-1')

    t.match(await sendTask(yom, 'e-1', { sellerId: 'V-02' }), { status: 422 })
    yom.setSwitches({ keyReuse: 'same_answer' })
    t.match(await sendTask(yom, 'e-1', { sellerId: 'V-02' }), { status: 200, body: { id: first.body['id'] } })
  })

  t.test('makes a second task where there is no idempotency, and that is counted', async (t) => {
    for (const idempotency of ['lookup', 'none'] as const) {
      const yom = await startYom(t, { switches: { idempotency } })

      await sendTask(yom, 'e-1')
      t.match(await sendTask(yom, 'e-1'), { status: 201 })

      t.match(yom.counts(), { tasks: 2, externalIds: 1, doubled: 1 }, idempotency)
    }
  })
})

t.test('reading tasks', async (t) => {
  t.test('by our id finds them where they are searchable, and only there', async (t) => {
    const yom = await startYom(t, { switches: { idempotency: 'lookup' } })
    const { body } = await sendTask(yom, 'e-1')

    const found = await callYom(yom, '/activities?externalId=e-1')

    t.match(rowsOf(found), [{ id: body['id'], internalTaskId: body['id'], externalId: 'e-1', status: 'OPEN' }])
    t.match(found.body['pagination'], { current_page: 1, total_items: 1, next_page: null, prev_page: null })
    t.strictSame(rowsOf(await callYom(yom, '/activities?externalId=e-2')), [])
    yom.setSwitches({ idempotency: 'none' })
    t.match(await callYom(yom, '/activities?externalId=e-1'), { status: 400 })
  })

  t.test('by lookup meets faults like any request', async (t) => {
    const yom = await startYom(t, { switches: { idempotency: 'lookup' } })
    yom.faults.script('tasks', ['error_before'])

    t.match(await callYom(yom, '/activities?externalId=e-1'), { status: 500 })
  })

  t.test('pages as YOM documents lists', async (t) => {
    const yom = await startYom(t)
    for (const id of ['e-1', 'e-2', 'e-3']) await sendTask(yom, id)

    t.match(await callYom(yom, '/activities?page=2&limit=2'), {
      body: {
        data: [{ externalId: 'e-3' }],
        pagination: { current_page: 2, per_page: 2, total_pages: 2, total_items: 3, next_page: null, prev_page: 1 },
      },
    })
    t.match(await callYom(yom, '/activities?limit=101'), { status: 400 })
  })

  t.test('one by one shows how they ended', async (t) => {
    const yom = await startYom(t, { switches: { completion: 'poll' } })
    const { body } = await sendTask(yom, 'e-1')
    const path = `/activities/${String(body['id'])}`

    t.match(await callYom(yom, path), { body: { status: 'OPEN', outcome: null } })
    yom.finishTask('e-1', { status: 'EFFECTIVE', result: 'SALE_COMPLETED' })
    t.match(await callYom(yom, path), { body: { status: 'DONE', outcome: { result: 'SALE_COMPLETED' } } })
    t.match(await callYom(yom, '/activities/unknown'), { status: 404 })
  })
})

t.test('polling for changes', async (t) => {
  t.test('goes on from a cursor and misses nothing', async (t) => {
    const yom = await startYom(t, { switches: { completion: 'poll' } })
    for (const id of ['e-1', 'e-2', 'e-3']) await sendTask(yom, id)

    const first = await callYom(yom, '/activities/changes?limit=2')
    t.match(first.body, { data: [{ externalId: 'e-1' }, { externalId: 'e-2' }], has_more: true })
    const second = await callYom(yom, `/activities/changes?cursor=${String(first.body['next_cursor'])}`)
    t.match(second.body, { data: [{ externalId: 'e-3' }], has_more: false })
    yom.clock.advance(2000)
    await yom.idle()
    const third = await callYom(yom, `/activities/changes?cursor=${String(second.body['next_cursor'])}`)

    t.strictSame(new Set(rowsOf(third).map((row) => row['externalId'])), new Set(['e-1', 'e-2', 'e-3']))
    t.ok(rowsOf(third).every((row) => row['status'] === 'DONE'))
  })

  t.test('is there only where tasks are polled', async (t) => {
    const yom = await startYom(t)

    t.match(await callYom(yom, '/activities/changes'), { status: 404 })
    yom.setSwitches({ completion: 'both' })
    t.match(await callYom(yom, '/activities/changes?cursor=x'), { status: 400 })
  })
})

t.test('cancelling a task', async (t) => {
  t.test('ends it while it is open, and not once it is done', async (t) => {
    const yom = await startYom(t)
    const { body } = await sendTask(yom, 'e-1')
    const cancel = (id: unknown): Promise<unknown> =>
      callYom(yom, `/activities/${String(id)}/cancel`, { method: 'POST' })

    t.match(await cancel(body['id']), { status: 200, body: { status: 'CANCELLED' } })
    t.match(await cancel(body['id']), { status: 200 }, 'again is no fault')
    t.equal(yom.finishTask('e-1'), false)
    const other = await sendTask(yom, 'e-2')
    yom.finishTask('e-2')
    t.match(await cancel(other.body['id']), { status: 409 })
    t.match(await cancel('unknown'), { status: 404 })
    yom.setSwitches({ canCancel: false })
    t.match(await cancel(other.body['id']), { status: 404 })
  })
})
