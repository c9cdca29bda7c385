import t from 'tap'
import { addConnectionRow, createOpsFixture, storeDispatch, TOKENS } from './ops-fixture.ts'

void t.test("the operators' listener over real HTTP", async (t) => {
  const { app, db } = await createOpsFixture(t)
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  await addConnectionRow(db)
  const authorization = `Bearer ${TOKENS.operator.token}`

  await t.test('lets an operator find a dispatch and replay it', async (t) => {
    const id = await storeDispatch(db, 'a1')

    const list = await (await fetch(`${origin}/admin/dispatches?state=received`, { headers: { authorization } })).json()
    const replay = await fetch(`${origin}/admin/dispatches/${id}/replay`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'asked by the tenant' }),
    })

    t.match(list, { data: [{ id }] })
    t.equal(replay.status, 202)
    t.match(await replay.json(), { id, job: 'made_due' })
  })

  await t.test('answers metrics in the format that is asked for', async (t) => {
    const plain = await fetch(`${origin}/metrics`)
    const open = await fetch(`${origin}/metrics`, {
      headers: { accept: 'application/openmetrics-text; version=1.0.0' },
    })

    t.equal(plain.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
    t.match(await plain.text(), /# TYPE reten_receiver_requests_total counter/)
    t.equal(open.headers.get('content-type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8')
    t.ok((await open.text()).endsWith('# EOF\n'))
  })

  await t.test('tolerates trailing and doubled slashes', async (t) => {
    t.equal((await fetch(`${origin}//livez/`)).status, 200)
  })

  await t.test('answers an unknown route in the shape of every error', async (t) => {
    const answer = await fetch(`${origin}/admin/nothing`, { headers: { authorization } })

    t.equal(answer.status, 404)
    t.match(await answer.json(), { statusCode: 404, error: 'Not Found', code: 'RCV_ROUTE_NOT_FOUND' })
  })

  await t.test('answers a path that cannot be decoded in the same shape', async (t) => {
    const answer = await fetch(`${origin}/admin/%zz`, { headers: { authorization } })

    t.equal(answer.status, 400)
    t.match(await answer.json(), { statusCode: 400, code: 'RCV_REQUEST_INVALID', requestId: String })
  })

  await t.test('answers with security headers', async (t) => {
    const { headers } = await fetch(`${origin}/health`)

    t.equal(headers.get('x-content-type-options'), 'nosniff')
    t.ok(headers.get('content-security-policy'))
  })

  await t.test('refuses a body that is no JSON, is too large, or has another type', async (t) => {
    const post = (type: string, body: string) =>
      fetch(`${origin}/admin/dispatches/x/replay`, {
        method: 'POST',
        headers: { authorization, 'content-type': type },
        body,
      })

    t.match(await (await post('application/json', '{')).json(), { statusCode: 400, code: 'RCV_BODY_NOT_JSON' })
    t.equal((await post('application/json', JSON.stringify({ reason: 'x'.repeat(300_000) }))).status, 413)
    t.equal((await post('application/xml', '<reason/>')).status, 415)
  })
})
