import t from 'tap'
import type { Test } from 'tap'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import { HttpFault, createHttpClient } from '../src/http-client.ts'
import type { HttpClient, HttpClientOptions, HttpRequest } from '../src/http-client.ts'
import { serve, serveBytes, serveSockets, unusedOrigin } from './support/local-server.ts'

const openClient = (t: Test, options?: HttpClientOptions): HttpClient => {
  const client = createHttpClient(options)
  t.teardown(() => client.close())
  return client
}

const post = (url: string, overrides: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'POST',
  url,
  body: '{"a":1}',
  timeoutMs: 2_000,
  maxResponseBytes: 1_000,
  ...overrides,
})

/** The fault of a request that must not be answered. */
const faultOf = async (answer: Promise<unknown>): Promise<HttpFault> => {
  const outcome = await answer.then(
    () => new Error('it was answered'),
    (error: unknown) => error,
  )
  if (outcome instanceof HttpFault) return outcome
  throw outcome
}

const expectFault = async (t: Test, answer: Promise<unknown>, code: string, isSent: boolean): Promise<HttpFault> => {
  const fault = await faultOf(answer)
  t.equal(fault.code, code, fault.message)
  t.equal(fault.isSent, isSent, isSent ? 'may have been sent' : 'was not sent')
  return fault
}

/** undici takes a connection back a turn of the event loop after its answer, so that a peer's close is seen first. */
const connectionIsIdle = async (): Promise<void> => {
  await setImmediate()
  await setImmediate()
}

t.test('createHttpClient', async (t) => {
  t.test('answers with status, headers and body, whatever the status', async (t) => {
    const server = await serve(t, (response) => {
      response.writeHead(503, { 'X-Thing': ['one', 'two'], 'Retry-After': '7' }).end('später')
    })

    const answer = await openClient(t).request(post(`${server.origin}/a/b?c=d`, { headers: { 'x-key': 'k' } }))

    t.equal(answer.status, 503)
    t.match(answer.headers, { 'x-thing': 'one, two', 'retry-after': '7' })
    t.equal(answer.body, 'später')
    t.match(server.received, [
      { method: 'POST', path: '/a/b?c=d', body: '{"a":1}', headers: { 'x-key': 'k', 'accept-encoding': 'identity' } },
    ])
  })

  t.test('reuses a connection for requests one after another', async (t) => {
    let connections = 0
    const origin = await serveSockets(t, (socket) => {
      connections += 1
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
    })
    const client = openClient(t)

    await client.request(post(origin))
    await connectionIsIdle()
    await client.request(post(origin))

    t.equal(connections, 1)
  })

  t.test('does not follow a redirect', async (t) => {
    const server = await serve(t, (response) => response.writeHead(307, { location: '/elsewhere' }).end())

    const answer = await openClient(t).request(post(server.origin))

    t.equal(answer.status, 307)
    t.equal(server.received.length, 1)
  })

  t.test('passes over interim answers', async (t) => {
    const origin = await serveBytes(t, (socket) =>
      socket.end('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
    )

    const answer = await openClient(t).request(post(origin))

    t.match(answer, { status: 200, body: 'ok' })
  })

  t.test('is connection_refused and unsent where nobody listens', async (t) => {
    await expectFault(t, openClient(t).request(post(await unusedOrigin())), 'connection_refused', false)
  })

  t.test('is name_not_found and unsent for a name that cannot resolve', async (t) => {
    // RFC 6761 keeps .invalid free of names.
    await expectFault(t, openClient(t).request(post('http://receiver.invalid/')), 'name_not_found', false)
  })

  t.test('is tls_failed and unsent where https meets a server that speaks no TLS', async (t) => {
    const origin = await serveBytes(t, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))

    await expectFault(t, openClient(t).request(post(origin.replace('http:', 'https:'))), 'tls_failed', false)
  })

  t.test('is tls_failed and unsent where the handshake is cut off', async (t) => {
    const origin = await serveBytes(t, (socket) => socket.resetAndDestroy())

    await expectFault(t, openClient(t).request(post(origin.replace('http:', 'https:'))), 'tls_failed', false)
  })

  t.test('is connect_timeout and unsent where the handshake never ends', async (t) => {
    const origin = await serveSockets(t, () => undefined)
    const client = openClient(t, { connectTimeoutMs: 100 })

    await expectFault(t, client.request(post(origin.replace('http:', 'https:'))), 'connect_timeout', false)
  })

  t.test('is timeout and unsent when the deadline passes while connecting, and never sends it later', async (t) => {
    let bytes = 0
    const origin = await serveSockets(t, (socket) => socket.on('data', (chunk) => (bytes += chunk.length)))
    const client = openClient(t, { maxConnections: 1 })
    const first = client.request(post(origin, { timeoutMs: 200 }))

    await expectFault(t, client.request(post(origin, { timeoutMs: 100, body: 'x'.repeat(50_000) })), 'timeout', false)
    await expectFault(t, first, 'timeout', true)

    t.ok(bytes < 50_000, 'only the first request went out')
  })

  t.test('is timeout and perhaps sent when no answer comes', async (t) => {
    const origin = await serveBytes(t, () => undefined)

    await expectFault(t, openClient(t).request(post(origin, { timeoutMs: 100 })), 'timeout', true)
  })

  t.test('ends a body that trickles for ever at the deadline', async (t) => {
    const origin = await serveBytes(t, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
      const trickle = setInterval(() => socket.write('1\r\nx\r\n'), 10)
      socket.on('close', () => clearInterval(trickle))
    })

    await expectFault(t, openClient(t).request(post(origin, { timeoutMs: 150 })), 'timeout', true)
  })

  t.test('is connection_lost and perhaps sent when the peer resets', async (t) => {
    const origin = await serveBytes(t, (socket) => socket.resetAndDestroy())

    await expectFault(t, openClient(t).request(post(origin)), 'connection_lost', true)
  })

  t.test('is connection_lost and perhaps sent when the answer breaks off', async (t) => {
    const byLength = await serveBytes(t, (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{"id"'))
    const byChunks = await serveBytes(t, (socket) =>
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n14\r\n{"id"'),
    )
    const client = openClient(t)

    await expectFault(t, client.request(post(byLength)), 'connection_lost', true)
    await expectFault(t, client.request(post(byChunks)), 'connection_lost', true)
  })

  t.test('is connection_lost and perhaps sent when a reused connection is closed under it', async (t) => {
    let answered = 0
    let connections = 0
    const origin = await serveSockets(t, (socket) => {
      connections += 1
      socket.on('data', () => {
        answered += 1
        if (answered === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
        else socket.destroy()
      })
    })
    const client = openClient(t)
    await client.request(post(origin))
    await connectionIsIdle()

    await expectFault(t, client.request(post(origin)), 'connection_lost', true)
    t.equal(connections, 1)
    t.equal(answered, 2, 'and it is not sent again')
  })

  t.test('is response_malformed for an answer that is not HTTP', async (t) => {
    const origin = await serveBytes(t, (socket) => socket.end('220 mail.example ESMTP\r\n'))

    await expectFault(t, openClient(t).request(post(origin)), 'response_malformed', true)
  })

  t.test('refuses an announced length above the cap before it arrives', async (t) => {
    const origin = await serveBytes(t, (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n'))

    await expectFault(t, openClient(t).request(post(origin)), 'response_too_large', true)
  })

  t.test('stops reading at the cap and closes the connection', async (t) => {
    let closed: Promise<unknown> | undefined
    const origin = await serveBytes(t, (socket) => {
      closed = once(socket, 'close')
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      const flood = setInterval(() => socket.write('x'.repeat(400)), 1)
      socket.on('close', () => clearInterval(flood))
    })

    await expectFault(t, openClient(t).request(post(origin)), 'response_too_large', true)
    await closed
  })

  t.test('takes an answer exactly as long as the cap', async (t) => {
    const server = await serve(t, (response) => response.end('x'.repeat(1_000)))

    const answer = await openClient(t).request(post(server.origin))

    t.equal(answer.body.length, 1_000)
  })

  t.test('is response_too_large for endless headers', async (t) => {
    const origin = await serveBytes(t, (socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(40_000)}`))

    await expectFault(t, openClient(t).request(post(origin)), 'response_too_large', true)
  })

  t.test('is aborted and perhaps sent when the caller gives up on the answer', async (t) => {
    const giveUp = new AbortController()
    const origin = await serveBytes(t, () => giveUp.abort())

    await expectFault(t, openClient(t).request(post(origin, { signal: giveUp.signal })), 'aborted', true)
  })

  t.test('is aborted and unsent when the caller had given up before', async (t) => {
    const server = await serve(t, (response) => response.end())

    const answer = openClient(t).request(post(server.origin, { signal: AbortSignal.abort() }))

    await expectFault(t, answer, 'aborted', false)
    t.equal(server.received.length, 0)
  })

  t.test('is request_invalid and unsent for what cannot be sent', async (t) => {
    const client = openClient(t)
    const origin = await unusedOrigin()

    await expectFault(t, client.request(post('not a url')), 'request_invalid', false)
    await expectFault(t, client.request(post('ftp://127.0.0.1/')), 'request_invalid', false)
    await expectFault(t, client.request(post(origin, { headers: { 'x-key': 'a\r\nb' } })), 'request_invalid', false)
  })

  t.test('never names the path or the query in a fault', async (t) => {
    const fault = await faultOf(openClient(t).request(post(`${await unusedOrigin()}/hook?token=hush`)))

    t.notMatch(fault.message, /hook|hush/)
  })

  t.test('keeps requests beyond its connections waiting, within their deadline', async (t) => {
    let atOnce = 0
    let most = 0
    const server = await serve(t, (response) => {
      atOnce += 1
      most = Math.max(most, atOnce)
      void setImmediate().then(() => {
        atOnce -= 1
        response.end('ok')
      })
    })
    const client = openClient(t, { maxConnections: 2 })

    const answers = await Promise.all(Array.from({ length: 10 }, () => client.request(post(server.origin))))

    t.ok(answers.every(({ status }) => status === 200))
    t.ok(most <= 2)
  })

  t.test('never calls a request unsent that arrived', async (t) => {
    const arrived = new Set<string>()
    const server = await serve(t, (response, { headers }) => {
      const id = String(headers['x-id'])
      arrived.add(id)
      if (Number(id) % 3 === 0) response.destroy()
      else if (Number(id) % 3 === 1) response.end('ok')
    })
    const client = openClient(t, { maxConnections: 4 })
    const faults = new Map<string, HttpFault>()

    // Deadlines from 1 to 60 ms, so that requests end while they wait, while they connect and while they are answered.
    await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const id = String(index)
        const request = post(server.origin, { timeoutMs: 1 + (index % 60), headers: { 'x-id': id } })
        await client.request(request).catch((error: unknown) => error instanceof HttpFault && faults.set(id, error))
      }),
    )

    const unsent = [...faults].filter(([, fault]) => !fault.isSent)
    t.ok(unsent.length > 0)
    t.same(
      unsent.filter(([id]) => arrived.has(id)),
      [],
    )
  })

  t.test('close', async (t) => {
    t.test('waits for what is under way', async (t) => {
      const client = createHttpClient()
      const arrived = Promise.withResolvers<ServerResponse>()
      const server = await serve(t, (response) => arrived.resolve(response))
      const answer = client.request(post(server.origin))
      const response = await arrived.promise

      const closed = client.close()
      response.end('done')

      t.match(await answer, { status: 200, body: 'done' })
      await closed
    })

    t.test('ends later requests as aborted and unsent', async (t) => {
      const client = createHttpClient()
      await client.close()

      await expectFault(t, client.request(post(await unusedOrigin())), 'aborted', false)
    })
  })
})
