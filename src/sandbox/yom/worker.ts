// What happens to a task after it was made: somebody works on it for a while, and YOM tells how it ended.
import type { Background } from '../background.ts'
import type { Faults } from '../faults.ts'
import { beginTask, finishTask } from './finish-task.ts'
import type { Task, TaskOutcome } from './records.ts'
import type { YomState } from './state.ts'
import type { WebhookSender } from './webhook-sender.ts'

/** Works on tasks. */
export interface Worker {
  /** Takes up a task. Resolves when the creation may be answered: at once, except where an `early` fault tells its end first. */
  take(task: Task): Promise<void>
  /** Ends a task now, with a drawn outcome or the given parts of one, and tells it. `false`: it had ended. */
  finish(task: Task, chosen?: Partial<TaskOutcome>): boolean
}

/** Makes the worker of a state. */
export const createWorker = (
  state: YomState,
  background: Background,
  sender: WebhookSender,
  faults: Faults,
): Worker => {
  const tellsByWebhook = (): boolean => state.switches.completion === 'webhook' || state.switches.completion === 'both'

  const finish = (task: Task, chosen?: Partial<TaskOutcome>, struck?: string): boolean => {
    const event = finishTask(state, task, chosen)
    if (event === undefined) return false
    if (!tellsByWebhook()) return true
    switch (struck) {
      case 'late':
        sender.sendLater(state.switches.lateByMs, event)
        break
      case 'doubled':
        sender.send(event)
        sender.send(event)
        break
      case 'reordered':
        sender.send(event)
        sender.sendLater(state.switches.workMinMs, beginTask(state, task))
        break
      default:
        sender.send(event)
    }
    return true
  }

  const take = async (task: Task): Promise<void> => {
    const { completion, sendsProgress, workMinMs, workMaxMs } = state.switches
    if (completion === 'none') return
    const struck = tellsByWebhook() ? faults.draw('webhook', task.externalId)?.kind : undefined
    if (struck === 'early') {
      const event = finishTask(state, task)
      if (event !== undefined) await sender.sendAndWait(event)
      return
    }
    if (sendsProgress && tellsByWebhook() && struck !== 'reordered') sender.send(beginTask(state, task))
    const workMs = state.random.between(workMinMs, Math.max(workMinMs, workMaxMs), task.externalId, 'work')
    background.later(workMs, () => finish(task, undefined, struck))
  }

  return { take, finish: (task, chosen) => finish(task, chosen) }
}
