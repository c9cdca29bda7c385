import t from 'tap'
import type { Test } from 'tap'
import { buildPublicUrlChecks } from '../../src/doctor/public-url.ts'
import { runTogether } from '../../src/doctor/run-checks.ts'
import { createHttpClient } from '../../src/http-client.ts'
import { createReceiver } from '../support/receive-app.ts'
import { sendJson, serve, unusedOrigin } from '../support/local-server.ts'

async function examine(t: Test, publicUrl: string) {
  const http = createHttpClient()
  t.teardown(() => http.close())
  return runTogether(buildPublicUrlChecks(publicUrl, http), [])
}

void t.test('buildPublicUrlChecks', async (t) => {
  await t.test('is content with a service that refuses who brings no key', async (t) => {
    const { app } = await createReceiver(t)

    const [, refusal] = await examine(t, await app.listen({ host: '127.0.0.1', port: 0 }))

    t.match(refusal, { status: 'ok', found: /answers 401/ })
  })

  await t.test('warns of an address without encryption', async (t) => {
    const { origin } = await serve(t, (response) => sendJson(response, 200, {}))

    t.match(await examine(t, origin), [
      { status: 'warning', found: /answers 200/, advice: /HTTPS/ },
      { status: 'failed', found: /answers 200 instead of 401/ },
    ])
  })

  await t.test('notices that somebody else answers there', async (t) => {
    const { origin } = await serve(t, (response) => sendJson(response, 401, { error: 'log in' }))

    t.match(await examine(t, origin), [
      { status: 'failed', found: /livez answers 401/ },
      { status: 'failed', found: /not this service/, advice: /--public-url/ },
    ])
  })

  await t.test('notices that nobody does', async (t) => {
    t.match(await examine(t, await unusedOrigin()), [
      { status: 'failed', found: /refuses the connection/ },
      { status: 'failed', advice: /--public-url/ },
    ])
  })
})
