// Servers on 127.0.0.1 for tests: one that speaks HTTP, one that says exactly the bytes it is told to.
import { createServer as createHttpServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Scope } from './scope.ts'

/** One request as it arrived. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface LocalServer {
  /** Without a trailing slash. */
  readonly origin: string
  /** Everything that arrived, in order; filled before it is answered. */
  readonly received: readonly Received[]
}

/** Answers one request. */
export type Answerer = (response: ServerResponse, request: Received, number: number) => void

/** An HTTP server that ends with the test; `answer` gets requests numbered from 1. */
export async function serve(t: Scope, answer: Answerer): Promise<LocalServer> {
  const received: Received[] = []
  const server = createHttpServer((incoming, response) => {
    text(incoming).then(
      (body) => {
        const { method = '', url = '', headers } = incoming
        const request = { method, path: url, headers, body }
        received.push(request)
        answer(response, request, received.length)
      },
      // The client left while it was sending; nobody is there to be answered.
      () => response.destroy(),
    )
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: await listen(server), received }
}

/** A TCP server that ends with the test; `onRequest` gets a socket once the first bytes have arrived on it. */
export async function serveBytes(t: Scope, onRequest: (socket: Socket) => void): Promise<string> {
  return serveSockets(t, (socket) => socket.once('data', () => onRequest(socket)))
}

/** A TCP server that ends with the test; `onSocket` gets a socket as soon as it is open. */
export async function serveSockets(t: Scope, onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    onSocket(socket)
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return listen(server)
}

/** An origin where nobody listens. */
export async function unusedOrigin(): Promise<string> {
  const server = createTcpServer()
  const origin = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return origin
}

/** Answers with JSON. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A server that listens on a port has an address of this form.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
