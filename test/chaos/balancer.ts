// What stands in front of the instances in production: sends each request to one that says it is ready, and to another one
// where that one cannot be reached. A request that was sent and not answered is not sent again: only its sender may do that.
import { Agent, createServer, request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { request } from 'undici'
import type { Scope } from '../support/scope.ts'

export interface Balancer {
  readonly url: string
  /** The instance at this address takes part from now on. */
  add(url: string): void
  /** It was taken away by whoever runs it. */
  remove(url: string): void
}

const CHECK_EVERY_MS = 500
const CHECK_TIMEOUT_MS = 1_000

// https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding'])
// Above the 30 s for which Reten's stand-in keeps a connection.
const KEEP_ALIVE_MS = 60_000

interface Target {
  readonly url: string
  isReady: boolean
}

/** Opens a balancer that ends with `scope`. */
export async function openBalancer(scope: Scope): Promise<Balancer> {
  let targets: Target[] = []
  let turn = 0
  const agent = new Agent({ keepAlive: true })
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (incoming, response) => {
    buffer(incoming).then(
      (body) => forward(inOrder(), { incoming, response, body, agent }),
      () => response.destroy(), // the sender left while it was sending
    )
  })
  const inOrder = (): Target[] => {
    turn += 1
    const rotated = [...targets.slice(turn % targets.length), ...targets.slice(0, turn % targets.length)]
    // Where none says that it is ready one of them may still be able to: better tried than refused.
    return [...rotated.filter((target) => target.isReady), ...rotated.filter((target) => !target.isReady)]
  }
  const timer = setInterval(() => targets.forEach((target) => void check(target)), CHECK_EVERY_MS)
  scope.teardown(() => {
    clearInterval(timer)
    agent.destroy()
    server.closeAllConnections()
    server.close()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A server that listens on a port has an address of this form.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    add: (url) => {
      targets = [...targets, { url, isReady: true }]
    },
    remove: (url) => {
      targets = targets.filter((target) => target.url !== url)
    },
  }
}

interface Passing {
  readonly incoming: IncomingMessage
  readonly response: ServerResponse
  readonly body: Buffer
  readonly agent: Agent
}

function forward([target, ...others]: readonly Target[], passing: Passing): void {
  const { incoming, response, body, agent } = passing
  if (target === undefined) {
    response.writeHead(503).end()
    return
  }
  const { method, url = '/' } = incoming
  const headers = withoutHops(incoming.headers)
  const outgoing = httpRequest(target.url + url, { ...(method === undefined ? {} : { method }), headers, agent })
  const hangUp = (): void => void outgoing.destroy()
  response.once('close', hangUp)
  outgoing.once('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, withoutHops(answer.headers))
    answer.once('error', () => response.destroy())
    answer.pipe(response)
  })
  outgoing.once('error', (error) => {
    response.off('close', hangUp)
    if (response.destroyed || response.headersSent) return void response.destroy()
    if ('code' in error && error.code === 'ECONNREFUSED') {
      target.isReady = false
      return forward(others, passing)
    }
    response.writeHead(502).end()
  })
  outgoing.end(body)
}

/** Each connection keeps alive by its own times: one that believes the other's is closed while a request is on its way. */
function withoutHops(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)))
}

async function check(target: Target): Promise<void> {
  try {
    const { statusCode, body } = await request(`${target.url}/readyz`, {
      signal: AbortSignal.timeout(CHECK_TIMEOUT_MS),
    })
    await body.dump()
    target.isReady = statusCode === 200
  } catch {
    target.isReady = false // whatever the reason is, nothing is sent there
  }
}
