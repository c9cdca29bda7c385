import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Listens on a free port of 127.0.0.1; answers the port. */
export async function listenOnFreePort(app: FastifyInstance): Promise<number> {
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  return Number(new URL(origin).port)
}

/** A request as bytes, for what no HTTP client would send. */
export function rawPost(path: string, headers: Readonly<Record<string, string>>, body: string | Buffer): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\nhost: test\r\n${lines.join('')}\r\n`), Buffer.from(body)])
}

/** One answer: its status, its headers in lower case, and its body. */
export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Sends bytes and resolves with everything that came back until the other side hung up. */
export async function exchange(port: number, bytes: Buffer | string): Promise<RawAnswer[]> {
  const socket = connect(port, '127.0.0.1')
  socket.write(bytes)
  return readAnswers(socket)
}

/** Every answer that comes on a socket until it closes. Bodies are told by their length. */
export async function readAnswers(socket: Socket): Promise<RawAnswer[]> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await new Promise<void>((resolve) => {
    socket.on('error', () => resolve())
    socket.on('close', () => resolve())
  })
  const answers: RawAnswer[] = []
  let rest = Buffer.concat(chunks).toString()
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n')
    const [first = '', ...lines] = rest.slice(0, end).split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    )
    const bodyEnd = end + 4 + Number(headers['content-length'] ?? 0)
    answers.push({ status: Number(first.split(' ')[1]), headers, body: rest.slice(end + 4, bodyEnd) })
    rest = rest.slice(bodyEnd)
  }
  return answers
}
