// The load, in a process of its own. It shares the machine with what it measures, so it does as little as it can: one buffer
// per connection, built once, in which only the id changes; one request at a time on a connection, never pipelined; answers
// are read into one buffer, of which only status and length are looked at.
//
// Without a rate each connection sends as soon as it is answered: the peak. With a rate each request has a time at which it
// is due, whatever became of those before it, and its latency counts from then: a stall is seen by every request that was
// due during it (no coordinated omission).
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { createHistogram } from 'node:perf_hooks'
import { ACTIVITY, ID_PLACE } from './activity.ts'
import type { LoadMessage, LoadPlan } from './load.ts'

// Requests that are due and find no free connection; more would only say again that the rate is too high.
const MAX_DUE = 100_000
const DRAIN_MS = 10_000
const READ_BUFFER_BYTES = 16 * 1024
const HEADERS_END = Buffer.from('\r\n\r\n')
const LENGTH_HEADER = Buffer.from('content-length: ')
const STATUS_AT = 'HTTP/1.1 '.length
const DIGIT_TWO = 0x32
const DIGIT_ZERO = 0x30
const TICK_MS = 1

interface Line {
  readonly socket: Socket
  readonly request: Buffer
  /** When the request under way was sent, or was due. */
  since: number
  isBusy: boolean
  /** The beginning of an answer whose end has not come. */
  pending: Buffer | undefined
}

const plan: LoadPlan = JSON.parse(process.argv[2] ?? '') // written by load.ts
const request = buildRequest()
const idAt = request.indexOf(ID_PLACE)
const idPrefix = `${randomBytes(4).toString('hex')}-${randomBytes(2).toString('hex')}-4000-8000-`
const latencies = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 })
const counts = { sent: 0, acknowledged: 0, measured: 0, refused: 0 }
const idle: Line[] = []
const due: number[] = []
let isOver = false

const lines = await Promise.all(Array.from({ length: plan.connections }, openLine))
const startedAt = performance.now()
const measuresFrom = startedAt + plan.warmupMs
const endsAt = measuresFrom + plan.durationMs
setTimeout(() => fail(`not done ${DRAIN_MS} ms after its time`), endsAt + DRAIN_MS - startedAt).unref()
let cpuBefore = process.cpuUsage()
setTimeout(() => {
  cpuBefore = process.cpuUsage()
  tell({ kind: 'measuring' })
}, plan.warmupMs)
setTimeout(() => {
  const { user, system } = process.cpuUsage(cpuBefore)
  tell({ kind: 'measured', cpuMs: (user + system) / 1_000 })
  isOver = true
  endWhenIdle()
}, endsAt - startedAt)
const { ratePerSecond } = plan
if (ratePerSecond === undefined) for (const line of lines) send(line, performance.now())
else {
  idle.push(...lines)
  sendWhatIsDue(ratePerSecond, 0)
}

function buildRequest(): Buffer {
  const head = [
    'POST /activities HTTP/1.1',
    `host: 127.0.0.1:${plan.port}`,
    'content-type: application/json',
    `x-api-key: ${plan.key}`,
    `content-length: ${Buffer.byteLength(ACTIVITY)}`,
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${ACTIVITY}`)
}

async function openLine(): Promise<Line> {
  const buffer = Buffer.allocUnsafe(READ_BUFFER_BYTES)
  const callback = (bytes: number): boolean => {
    receive(line, buffer.subarray(0, bytes))
    return true
  }
  const socket = connect({ host: '127.0.0.1', port: plan.port, noDelay: true, onread: { buffer, callback } })
  const line: Line = { socket, request: Buffer.from(request), since: 0, isBusy: false, pending: undefined }
  socket.on('error', (error) => fail(error.message))
  socket.on('close', () => {
    if (line.isBusy || performance.now() < endsAt) fail('the server closed a connection')
  })
  await new Promise((resolve) => socket.once('connect', () => resolve(undefined)))
  return line
}

function sendWhatIsDue(perSecond: number, index: number): void {
  const now = performance.now()
  let next = index
  for (let at = startedAt; at <= now; next += 1) {
    at = startedAt + (next * 1_000) / perSecond
    if (at > now || at >= endsAt) break
    const line = idle.pop()
    if (line !== undefined) send(line, at)
    else if (due.push(at) > MAX_DUE) fail(`${MAX_DUE} requests are due and cannot be sent`)
  }
  if (now < endsAt) setTimeout(() => sendWhatIsDue(perSecond, next), TICK_MS)
}

function send(line: Line, since: number): void {
  // The buffer is free: its last request has been answered.
  line.request.write(idPrefix + counts.sent.toString(16).padStart(12, '0'), idAt, 'latin1')
  counts.sent += 1
  line.isBusy = true
  line.since = since
  line.socket.write(line.request)
}

function receive(line: Line, chunk: Buffer): void {
  const answer = line.pending === undefined ? chunk : Buffer.concat([line.pending, chunk])
  if (!isWhole(answer)) {
    line.pending = Buffer.from(answer) // the read buffer is written over by what comes next
    return
  }
  line.pending = undefined
  line.isBusy = false
  const now = performance.now()
  count(line.since, now, answer[STATUS_AT] === DIGIT_TWO)
  if (ratePerSecond === undefined && now < endsAt) {
    send(line, now)
    return
  }
  const at = due.shift()
  if (at !== undefined) send(line, at)
  else {
    idle.push(line)
    endWhenIdle()
  }
}

function count(since: number, now: number, isSuccess: boolean): void {
  if (!isSuccess) {
    counts.refused += 1
    return
  }
  counts.acknowledged += 1
  // The peak counts what was answered within the window; a constant rate what was due in it, however late it was answered.
  const at = ratePerSecond === undefined ? now : since
  if (at < measuresFrom || at >= endsAt) return
  counts.measured += 1
  latencies.record(Math.max(1, Math.round((now - since) * 1_000)))
}

function isWhole(answer: Buffer): boolean {
  const headersEnd = answer.indexOf(HEADERS_END)
  if (headersEnd < 0) return false
  let index = answer.indexOf(LENGTH_HEADER) + LENGTH_HEADER.length
  if (index < LENGTH_HEADER.length || index > headersEnd) fail('an answer has no content-length')
  let length = 0
  for (; (answer[index] ?? 0) >= DIGIT_ZERO; index += 1) length = length * 10 + (answer[index] ?? 0) - DIGIT_ZERO
  return answer.length >= headersEnd + HEADERS_END.length + length
}

function endWhenIdle(): void {
  if (!isOver || due.length > 0 || lines.some((line) => line.isBusy)) return
  for (const line of lines) line.socket.destroy()
  const ms = (microseconds: number): number => microseconds / 1_000
  tell({
    kind: 'done',
    result: {
      perSecond: (counts.measured * 1_000) / plan.durationMs,
      p50Ms: ms(latencies.percentile(50)),
      p99Ms: ms(latencies.percentile(99)),
      maxMs: ms(latencies.max),
      acknowledged: counts.acknowledged,
      refused: counts.refused,
    },
  })
  process.disconnect?.()
}

function tell(message: LoadMessage): void {
  process.send?.(message)
}

function fail(reason: string): never {
  process.stderr.write(`load generator: ${reason}\n`)
  process.exit(1)
}
