// Has YOM cancel a task. That it can, and how, is assumption 14; without the setting `cancel` it is not asked at all.
import type { CancelOutcome } from '../../dispatch/outcome.ts'
import type { CancelCommand, LookupOutcome } from './adapter.ts'
import { describeAnswer, isSuccess, isTakenBefore, readStatusOutcome } from './http-outcome.ts'
import { readYomCanceled, yomCancelPath } from './yom-assumptions.ts'
import type { YomCall } from './yom-call.ts'

export interface YomCancel {
  readonly call: YomCall
  readonly taskPath: string
  readonly maxResponseBytes: number
  /** Finds the task where no answer told its id; absent where YOM cannot be searched. */
  readonly lookUp: ((command: CancelCommand, signal: AbortSignal) => Promise<LookupOutcome>) | undefined
}

/** Cancels by YOM's own id, which is searched for where no answer told it. */
export async function cancelAtYom(yom: YomCancel, command: CancelCommand, signal: AbortSignal): Promise<CancelOutcome> {
  if (command.providerTaskId !== undefined) return cancelTask(yom, command.providerTaskId, signal)
  const found = await yom.lookUp?.(command, signal)
  if (found !== undefined && found.kind !== 'accepted') {
    // Not there, by a search that was made long enough after the last try: nothing is to be cancelled.
    return found.kind === 'retry' ? { kind: 'canceled', exchange: found.exchange } : found
  }
  if (found?.providerTaskId !== undefined) return cancelTask(yom, found.providerTaskId, signal)
  const message = 'YOM cancels by its own id of a task, and never told the one of this'
  return { kind: 'rejected', code: 'task_id_unknown', message }
}

async function cancelTask(yom: YomCancel, taskId: string, signal: AbortSignal): Promise<CancelOutcome> {
  const path = yomCancelPath(yom.taskPath, taskId)
  const sent = await yom.call.send(
    { method: 'POST', path, headers: {}, maxResponseBytes: yom.maxResponseBytes },
    signal,
  )
  if (sent.kind === 'none') return sent.outcome
  const { answer, context } = sent
  const said = { message: describeAnswer(answer, context), exchange: context.exchange }
  if (isTakenBefore(answer)) return { ...said, kind: 'too_late', code: 'http_409' }
  if (!isSuccess(answer)) return readStatusOutcome(answer, context)
  if (readYomCanceled(answer)) return { kind: 'canceled', exchange: context.exchange }
  return { ...said, kind: 'ambiguous', code: 'error_under_2xx' }
}
