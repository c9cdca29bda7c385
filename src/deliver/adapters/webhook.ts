// Delivers to any HTTP endpoint that follows this contract, which is ours to write and is told in full here:
//
//   POST <url>
//   Content-Type: application/json
//   Authorization: Bearer <auth_token>          where there is one
//   Idempotency-Key: <the same on every try>    a second request with it must do nothing new
//
//   { "dispatchId": "…", "idempotencyKey": "…", "connection": "…", "activity": { … }, "body": { … } }
//
// `activity` is the activity as this service reads it, always in one shape; `body` is what Reten sent, word for word.
// The answer: any 2xx takes the delivery; 409 (without Retry-After) says that it was taken before. The body may be empty or
// anything; a JSON object may tell `providerTaskId` (or `id`) and, where it is done at once, `result` in the shape of the
// default webhook. Later results go to POST /webhooks/webhook. Every other status means what http-outcome.ts says.
//
// Where a `cancel_url` is set, a delivery that is not wanted any more is told there, with the same headers:
//
//   POST <cancel_url>
//   { "dispatchId": "…", "idempotencyKey": "…", "connection": "…", "activityId": "…", "providerTaskId": "…" }
//
// Any 2xx: it is cancelled, was before, or was never taken. 409 (without Retry-After): it is done, and its result stands. It
// may be asked more than once; `providerTaskId` is absent where none was told.
import type { CancelOutcome, Outcome } from '../../dispatch/outcome.ts'
import { createExcerpt, readJson, readRecord } from '../../http-answer.ts'
import { HttpFault } from '../../http-client.ts'
import type { HttpAnswer } from '../../http-client.ts'
import type { Adapter, AdapterInput, CancelCommand, CreateAdapter, DeliverCommand } from './adapter.ts'
import { createSettingsReader } from './adapter-settings.ts'
import { describeAnswer, isSuccess, isTakenBefore, readFaultOutcome, readStatusOutcome } from './http-outcome.ts'
import type { NotAccepted, OutcomeContext } from './http-outcome.ts'
import { createReplyResultReader } from './reply-result.ts'
import type { ReadReplyResult } from './reply-result.ts'
import { readTaskId } from './task-id.ts'

const WHO = 'the webhook'
const TASK_ID_FIELDS = ['providerTaskId', 'id', 'taskId'] as const
const MAX_RESPONSE_BYTES = 262_144
const DEFAULT_TIMEOUT_MS = 15_000
/** Below what a delivery may take in all (50 s), which is below a worker's lease: the settings never promise what is cut short. */
const TIMEOUT_BOUNDS_MS = { min: 100, max: 45_000 } as const

/**
 * The adapter `webhook`. Settings: `url`, `cancel_url` (absent: it cancels nothing), `idempotency` (`key`, or `none` for a receiver that ignores it), `completion`
 * (`webhook`, `reply`, `none`), `timeout_ms`; secret: `auth_token`. Throws RCV_ADAPTER_SETTINGS.
 */
export const createWebhookAdapter: CreateAdapter = (input: AdapterInput): Adapter => {
  const { http, clock } = input
  const settings = readSettings(input)
  const readResult = createReplyResultReader()
  const excerpt = createExcerpt(Object.values(input.secrets))
  const preview = (command: DeliverCommand): string => excerpt(`POST ${shown(settings.url)}\n${toBody(command)}`)

  const post = async (url: string, key: string, body: string, request: string, signal: AbortSignal): Promise<Sent> => {
    try {
      const answer = await http.request({
        method: 'POST',
        url,
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'idempotency-key': key,
          ...settings.headers,
        },
        body,
        timeoutMs: settings.timeoutMs,
        maxResponseBytes: MAX_RESPONSE_BYTES,
        signal,
      })
      const exchange = { status: answer.status, request, response: excerpt(answer.body) }
      return { kind: 'answer', answer, context: { who: WHO, exchange, nowMs: clock.now(), excerpt } }
    } catch (error) {
      if (!(error instanceof HttpFault)) throw error
      const context = { who: WHO, exchange: { request }, nowMs: clock.now(), excerpt }
      return { kind: 'none', outcome: readFaultOutcome(error, context) }
    }
  }

  const cancelAt =
    (url: string) =>
    async (command: CancelCommand, signal: AbortSignal): Promise<CancelOutcome> => {
      const body = toCancelBody(command)
      const sent = await post(url, command.idempotencyKey, body, excerpt(`POST ${shown(url)}\n${body}`), signal)
      if (sent.kind === 'none') return sent.outcome
      const { answer, context } = sent
      if (isSuccess(answer)) return { kind: 'canceled', exchange: context.exchange }
      if (!isTakenBefore(answer)) return readStatusOutcome(answer, context)
      return {
        kind: 'too_late',
        code: 'http_409',
        message: describeAnswer(answer, context),
        exchange: context.exchange,
      }
    }

  return {
    provider: 'webhook',
    capabilities: { idempotency: settings.idempotency, completion: settings.completion },
    preview,
    async deliver(command, signal) {
      const sent = await post(settings.url, command.idempotencyKey, toBody(command), preview(command), signal)
      if (sent.kind === 'none') return sent.outcome
      const { answer, context } = sent
      if (isSuccess(answer) || isTakenBefore(answer)) return readTaken(answer, command, readResult, context.exchange)
      return readStatusOutcome(answer, context)
    },
    ...(settings.cancelUrl === undefined ? {} : { cancel: cancelAt(settings.cancelUrl) }),
    close: () => Promise.resolve(),
  }
}

type Sent =
  | { readonly kind: 'answer'; readonly answer: HttpAnswer; readonly context: OutcomeContext }
  | { readonly kind: 'none'; readonly outcome: NotAccepted }

/** Some tools put their secret into the query, so it is not shown. */
function shown(url: string): string {
  return url.replace(/\?.*$/, '')
}

function toCancelBody({ dispatchId, idempotencyKey, connection, activityId, providerTaskId }: CancelCommand): string {
  return JSON.stringify({ dispatchId, idempotencyKey, connection, activityId, providerTaskId })
}

function toBody({ dispatchId, idempotencyKey, connection, activity, body }: DeliverCommand): string {
  return JSON.stringify({ dispatchId, idempotencyKey, connection, activity, body })
}

function readTaken(
  answer: HttpAnswer,
  { dispatchId }: DeliverCommand,
  readResult: ReadReplyResult,
  exchange: Outcome['exchange'],
): Outcome {
  const reading = readJson(answer.body)
  const record = (reading.isJson ? readRecord(reading.value) : undefined) ?? {}
  const providerTaskId = readTaskId(record, TASK_ID_FIELDS)
  return { kind: 'accepted', providerTaskId, result: readResult(record['result'], dispatchId), exchange }
}

function readSettings(input: AdapterInput) {
  const reader = createSettingsReader('webhook', input)
  const url = reader.url('url')
  const token = reader.secret('auth_token')
  const settings = {
    url,
    cancelUrl: input.settings['cancel_url'] === undefined ? undefined : reader.url('cancel_url'),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    idempotency: reader.word('idempotency', ['key', 'none'], 'key'),
    completion: reader.word('completion', ['webhook', 'reply', 'none'], 'webhook'),
    timeoutMs: reader.integer('timeout_ms', TIMEOUT_BOUNDS_MS, DEFAULT_TIMEOUT_MS),
  }
  reader.finish()
  return settings
}
