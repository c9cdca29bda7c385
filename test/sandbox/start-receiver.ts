import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as it arrived. */
export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Record<string, unknown>
}

/** What a receiver answers; `hang` never does. */
export type ReceiverAnswer = { readonly status: number; readonly body?: unknown } | 'hang'

/** A real local server that keeps what it is sent. */
export interface Receiver {
  readonly url: string
  readonly received: Received[]
  /** Resolves when so many requests have arrived in all. */
  arrived(count: number): Promise<void>
  close(): Promise<void>
}

/** Starts a server that answers each request by `answer`; by default 201 with an id made of the activity's. */
export const startReceiver = async (
  answer: (request: Received, count: number) => ReceiverAnswer = ({ body }) => ({
    status: 201,
    body: { id: `p-${String(body['id'] ?? body['activityId'] ?? body['activity_id'])}` },
  }),
): Promise<Receiver> => {
  const received: Received[] = []
  const watchers = new Set<() => void>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8')
      // The stand-ins send JSON objects and nothing else.
      const body = JSON.parse(text === '' ? '{}' : text) as Record<string, unknown>
      const entry = { path: request.url ?? '', headers: request.headers, body }
      received.push(entry)
      const reply = answer(entry, received.length)
      if (reply !== 'hang') {
        response.writeHead(reply.status, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body ?? {}))
      }
      for (const tell of watchers) tell()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A server that listens on TCP has an address with a port.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    arrived: (count) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (received.length < count) return
          watchers.delete(check)
          resolve()
        }
        watchers.add(check)
        check()
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
