// Delivers to YOM. What is assumed about YOM stands in yom-assumptions.ts, and only there; this file makes the call.
import type { ProbeAnswer } from '../../dispatch/key-probe.ts'
import type { Accepted, Outcome } from '../../dispatch/outcome.ts'
import { NOT_FOUND } from './adapter.ts'
import type { Adapter, AdapterInput, CancelCommand, CreateAdapter, DeliverCommand, LookupOutcome } from './adapter.ts'
import { describeAnswer, isSuccess, isTakenBefore, readProbeAnswer, readStatusOutcome } from './http-outcome.ts'
import { createReplyResultReader } from './reply-result.ts'
import type { ReadReplyResult } from './reply-result.ts'
import { createYomCall } from './yom-call.ts'
import type { YomAnswered, YomCall, YomRequest, YomUnanswered } from './yom-call.ts'
import {
  YOM_EXTERNAL_ID_QUERY,
  YOM_IDEMPOTENCY_HEADER,
  YOM_PROBE_ASSUMPTION,
  YOM_PROBE_EXTERNAL_ID,
  readYomCreated,
  readYomDuplicate,
  readYomFound,
  toYomTask,
} from './yom-assumptions.ts'
import type { YomIdempotency } from './yom-assumptions.ts'
import { cancelAtYom } from './yom-cancel.ts'
import { readYomSettings } from './yom-settings.ts'

/** A created task is small; a list of one, too. */
const MAX_RESPONSE_BYTES = 262_144

/**
 * The adapter `yom`. Settings: `base_url` (with YOM's `/api/v2`), `task_path`, `idempotency` (`key`, `lookup`, `none`),
 * `completion` (`webhook`, `none`), `cancel` (`none`, `post`), `timeout_ms`; secrets: `api_key`, or `client_id` and `client_secret`. A delivery ends
 * within `timeout_ms`, token included. Throws RCV_ADAPTER_SETTINGS.
 */
export const createYomAdapter: CreateAdapter = (input: AdapterInput): Adapter => {
  const settings = readYomSettings(input)
  const readResult = createReplyResultReader()
  const call = createYomCall(settings, input)
  const { taskPath } = settings
  const lookup = (command: Searched, signal: AbortSignal): Promise<LookupOutcome> =>
    lookUp(call, taskPath, command, signal)
  const maxResponseBytes = MAX_RESPONSE_BYTES
  const canceling = { call, taskPath, maxResponseBytes, lookUp: settings.idempotency === 'lookup' ? lookup : undefined }

  return {
    provider: 'yom',
    capabilities: { idempotency: settings.idempotency, completion: settings.completion },
    preview: (command) => call.show(taskRequest(settings.taskPath, command)),
    async deliver(command, signal) {
      const sent = await call.send(taskRequest(settings.taskPath, command), signal)
      return sent.kind === 'answer' ? readDelivered(sent, command, settings.idempotency, readResult) : sent.outcome
    },
    probeAssumption: YOM_PROBE_ASSUMPTION,
    probe: async (signal) => readYomProbe(await call.send(probeRequest(settings.taskPath), signal)),
    ...(settings.idempotency === 'lookup' ? { lookup } : {}),
    ...(settings.cancel === 'post'
      ? { cancel: (command: CancelCommand, signal: AbortSignal) => cancelAtYom(canceling, command, signal) }
      : {}),
    close() {
      call.close()
      return Promise.resolve()
    },
  }
}

function taskRequest(taskPath: string, command: DeliverCommand): YomRequest {
  return {
    method: 'POST',
    path: taskPath,
    headers: { 'content-type': 'application/json', [YOM_IDEMPOTENCY_HEADER]: command.idempotencyKey },
    body: JSON.stringify(toYomTask(command)),
    maxResponseBytes: MAX_RESPONSE_BYTES,
  }
}

function readDelivered(
  { answer, context }: YomAnswered,
  command: DeliverCommand,
  idempotency: YomIdempotency,
  readResult: ReadReplyResult,
): Outcome {
  const { exchange, who } = context
  if (isTakenBefore(answer)) {
    const duplicate = readYomDuplicate(answer, command.idempotencyKey, idempotency)
    if (duplicate.kind === 'ours') return { kind: 'accepted', providerTaskId: duplicate.taskId, exchange }
    return { kind: 'ambiguous', code: 'duplicate_unproven', message: describeAnswer(answer, context), exchange }
  }
  if (!isSuccess(answer)) return readStatusOutcome(answer, context)

  const created = readYomCreated(answer)
  switch (created.kind) {
    case 'accepted':
      return {
        kind: 'accepted',
        providerTaskId: created.taskId,
        result: readResult(created.result, command.dispatchId),
        exchange,
      } satisfies Accepted
    case 'error':
      return { kind: 'ambiguous', code: 'error_under_2xx', message: describeAnswer(answer, context), exchange }
    case 'unreadable': {
      const message = `${who} answered ${answer.status} with something that is not a JSON object`
      return { kind: 'ambiguous', code: 'answer_unreadable', message, exchange }
    }
  }
}

function probeRequest(taskPath: string): YomRequest {
  const query = new URLSearchParams({ [YOM_EXTERNAL_ID_QUERY]: YOM_PROBE_EXTERNAL_ID })
  return { method: 'GET', path: `${taskPath}?${query.toString()}`, headers: {}, maxResponseBytes: MAX_RESPONSE_BYTES }
}

function readYomProbe(sent: YomAnswered | YomUnanswered): ProbeAnswer {
  if (sent.kind === 'answer') return readProbeAnswer(sent.answer, sent.context)
  const { outcome } = sent
  return { kind: outcome.kind === 'unauthorized' ? 'refused' : 'unknown', message: outcome.message }
}

/** What a task is searched by. */
type Searched = Pick<DeliverCommand, 'idempotencyKey'>

async function lookUp(call: YomCall, taskPath: string, command: Searched, signal: AbortSignal): Promise<LookupOutcome> {
  const externalId = command.idempotencyKey
  const query = new URLSearchParams({ [YOM_EXTERNAL_ID_QUERY]: externalId })
  const sent = await call.send(
    { method: 'GET', path: `${taskPath}?${query.toString()}`, headers: {}, maxResponseBytes: MAX_RESPONSE_BYTES },
    signal,
  )
  if (sent.kind === 'none') return undecided(sent.outcome)
  const { answer, context } = sent
  const { exchange, who } = context
  if (!isSuccess(answer)) return undecided(readStatusOutcome(answer, context))

  const found = readYomFound(answer, externalId)
  switch (found.kind) {
    case 'found':
      return { kind: 'accepted', providerTaskId: found.taskId, exchange }
    case 'absent':
      return { kind: 'retry', code: NOT_FOUND, message: `${who} has no task with ${externalId}`, exchange }
    case 'unknown': {
      const message = `${who}'s list does not tell whether it has a task with ${externalId}`
      return { kind: 'ambiguous', code: 'lookup_unreadable', message, exchange }
    }
  }
}

/**
 * A search that did not succeed says nothing of the task, and whatever kept it from succeeding must not make anybody forget
 * that the task may be there. A limit and a bad key stay what they are: neither is the dispatch's fault.
 */
function undecided(outcome: Outcome): LookupOutcome {
  if (outcome.kind !== 'retry' && outcome.kind !== 'rejected') return outcome
  const { code, message, exchange } = outcome
  return { kind: 'ambiguous', code: `lookup_${code}`, message, exchange }
}
