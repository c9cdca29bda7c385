// What every adapter that speaks HTTP must make of bytes that no proper server would send. Each answer is written to a socket
// as it stands here; docs/adapters.md has the same table for people.
import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Test } from 'tap'
import type { Adapter, AdapterInput } from '../../../src/deliver/adapters/adapter.ts'
import type { Outcome } from '../../../src/dispatch/outcome.ts'
import { serve, serveBytes, serveSockets } from '../../support/local-server.ts'
import { buildCommand, buildInput, patience } from './adapter-fixture.ts'
import type { ExpectedOutcome } from './contract.ts'

export interface WireSubject {
  /** Builds the adapter for a provider at `origin`. */
  create(origin: string, timeoutMs: number, input: AdapterInput): Adapter
  /** What a 2xx means to it whose body says nothing. */
  readonly onUnreadable2xx: ExpectedOutcome
}

type Case = readonly [when: string, bytes: Buffer | string, expected: ExpectedOutcome]

/** A test that waits for a deadline waits this long. */
const SHORT_TIMEOUT_MS = 300
const LONG_TIMEOUT_MS = 10_000
const MEGABYTE = 1_048_576

/** Runs the contract as subtests of `t`. */
export async function testWireContract(t: Test, subject: WireSubject): Promise<void> {
  const create = (t: Test, origin: string, timeoutMs = LONG_TIMEOUT_MS): Adapter => {
    const adapter = subject.create(origin, timeoutMs, buildInput(t))
    t.teardown(() => adapter.close())
    return adapter
  }

  for (const [when, bytes, expected] of cases(subject)) {
    await t.test(`is ${expected.kind} on ${when}`, async (t) => {
      const origin = await serveBytes(t, (socket) => socket.end(bytes))

      const outcome = await create(t, origin).deliver(buildCommand(), patience())

      t.match(outcome, expected)
      t.ok(JSON.stringify(outcome).length < 20_000, 'what is kept of it is capped')
      t.ok(textsOf(outcome).every(isStorable), 'and storable')
    })
  }

  const hanging: readonly (readonly [when: string, onRequest: (socket: Socket) => void])[] = [
    ['one byte at a time', (socket) => drip(socket, 'HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n', 'x')],
    ['headers without end, one at a time', (socket) => drip(socket, 'HTTP/1.1 200 OK\r\n', 'a: b\r\n')],
    ['interim answers without end', (socket) => drip(socket, '', 'HTTP/1.1 103 Early Hints\r\n\r\n')],
    ['headers and then nothing', (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n')],
  ]
  for (const [when, onRequest] of hanging) {
    await t.test(`is ambiguous at its deadline on ${when}`, async (t) => {
      const origin = await serveBytes(t, onRequest)

      const outcome = await create(t, origin, SHORT_TIMEOUT_MS).deliver(buildCommand(), patience())

      t.match(outcome, { kind: 'ambiguous', code: 'timeout' })
    })
  }

  await t.test('is retry where a connection is closed before anything was sent', async (t) => {
    const origin = await serveSockets(t, (socket) => socket.resetAndDestroy())

    const outcome = await create(t, origin.replace('http:', 'https:')).deliver(buildCommand(), patience())

    t.match(outcome, { kind: 'retry', code: 'tls_failed' })
  })

  await t.test('never goes where a redirect points, with credentials or without', async (t) => {
    const elsewhere = await serve(t, (response) => response.end('{}'))
    for (const status of [301, 302, 303, 307, 308]) {
      const origin = await serveBytes(t, (socket) =>
        socket.end(answer('{}', [`location: ${elsewhere.origin}/`], `${status} Moved`)),
      )
      t.match(await create(t, origin).deliver(buildCommand(), patience()), { code: 'http_redirect' })
    }
    t.strictSame(elsewhere.received, [])
  })

  await t.test('gives each delivery its own answer where two come at once', async (t) => {
    let connections = 0
    const origin = await serveSockets(t, (socket) => {
      const number = (connections += 1)
      socket.on('data', () => socket.write(answer(task(`T-${number}`)) + answer(task(`stray-${number}`))))
    })
    const adapter = create(t, origin)

    t.match(await adapter.deliver(buildCommand(), patience()), { kind: 'accepted', providerTaskId: 'T-1' })
    t.match(await adapter.deliver(buildCommand(), patience()), { kind: 'accepted', providerTaskId: 'T-2' })
  })
}

/** Everything in an outcome that is stored as text. */
function textsOf(outcome: Outcome): readonly string[] {
  const { request, response } = outcome.exchange ?? {}
  const own = outcome.kind === 'accepted' ? [outcome.providerTaskId] : [outcome.code, outcome.message]
  return [request, response, ...own].filter((text) => text !== undefined)
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

function cases({ onUnreadable2xx }: WireSubject): readonly Case[] {
  const accepted = (providerTaskId: string | undefined): ExpectedOutcome => ({ kind: 'accepted', providerTaskId })
  const ids: readonly (readonly [when: string, id: string, taskId: string | undefined])[] = [
    ['a number', '8841', '8841'],
    ['a number beyond what a double holds', '90071992547409931', '90071992547409931'],
    ['a number beyond all bounds', '1e999', undefined],
    ['201 characters', JSON.stringify('x'.repeat(201)), undefined],
    ['control characters', '"T-1\\r\\nSet-Cookie: a"', undefined],
    ['U+0000', '"T-\\u00001"', undefined],
    ['half of a surrogate pair', '"T-\\ud800"', undefined],
    ['nothing in it', '""', undefined],
    ['an object', '{"value":"T-1"}', undefined],
    ['a list', '["T-1"]', undefined],
    ['null', 'null', undefined],
  ]
  return [
    ...ids.map(([when, id, taskId]): Case => [
      `an id that is or has ${when}`,
      answer(`{"id":${id}}`),
      accepted(taskId),
    ]),
    ['an answer of HTTP/1.0 without a length', `HTTP/1.0 200 OK\r\n\r\n${task('T-1')}`, accepted('T-1')],
    ['a 204 without a body', 'HTTP/1.1 204 No Content\r\n\r\n', accepted(undefined)],
    [
      'an interim answer before the real one',
      `HTTP/1.1 103 Early Hints\r\n\r\n${answer(task('T-1'))}`,
      accepted('T-1'),
    ],
    ['plain JSON that says it is compressed', answer(task('T-1'), ['content-encoding: gzip']), accepted('T-1')],
    ['JSON under the type of a picture', answer(task('T-1'), ['content-type: image/png']), accepted('T-1')],
    ['garbage', answer('\u0001\u0002{"id":"T-1"'), onUnreadable2xx],
    ['bytes that are no UTF-8', binary(Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc3])), onUnreadable2xx],
    ['a compressed answer that nobody asked for', binary(gzipSync(task('T-1')), 'gzip'), onUnreadable2xx],
    // 200 MB once unpacked, which nobody does.
    [
      'a compressed answer a thousand times as large',
      binary(gzipSync(Buffer.alloc(200 * MEGABYTE)), 'gzip'),
      onUnreadable2xx,
    ],
    [
      '10 MB of JSON',
      answer(`{"id":"${'x'.repeat(10 * MEGABYTE)}"}`),
      { kind: 'ambiguous', code: 'response_too_large' },
    ],
    [
      'headers of 64 KB',
      answer('{}', [`x-a: ${'a'.repeat(65_536)}`]),
      { kind: 'ambiguous', code: 'response_too_large' },
    ],
    ['two lengths that differ', answer('{}', ['content-length: 9']), { kind: 'ambiguous' }],
    [
      'a switch of protocols',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
      { kind: 'ambiguous' },
    ],
    [
      'a body cut off',
      'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"id":',
      { kind: 'ambiguous', code: 'connection_lost' },
    ],
    ['an answer of no HTTP', 'SSH-2.0-OpenSSH_9.9\r\n', { kind: 'ambiguous', code: 'response_malformed' }],
    [
      'words with U+0000',
      answer('{"message":"no\\u0000pe"}', [], '422 No'),
      { kind: 'rejected', message: /no\u{FFFD}pe/u },
    ],
    ['a refusal of 100 KB', answer(`{"message":"${'no '.repeat(33_000)}"}`, [], '400 No'), { kind: 'rejected' }],
  ]
}

const task = (id: string): string => JSON.stringify({ id })

function answer(body: string, headers: readonly string[] = [], status = '200 OK'): string {
  const lines = [`content-length: ${Buffer.byteLength(body)}`, ...headers].map((line) => `${line}\r\n`).join('')
  return `HTTP/1.1 ${status}\r\n${lines}\r\n${body}`
}

function binary(body: Buffer, encoding = 'identity'): Buffer {
  const head = `HTTP/1.1 200 OK\r\ncontent-encoding: ${encoding}\r\ncontent-length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), body])
}

function drip(socket: Socket, head: string, drop: string): void {
  socket.write(head)
  const timer = setInterval(() => socket.write(drop), 20)
  socket.on('close', () => clearInterval(timer))
}
