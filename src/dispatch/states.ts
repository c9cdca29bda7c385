// The states of a dispatch and what moves it from one to the next: one table, one pure function.
//
//  received ──accepted──► delivered ──final result reported──► completed
//     │  ▲                    │
//     │  └──── replay ◄───────┤   (also from failed, canceled, completed, discarded)
//     ├──gave up / rejected──► failed ──discard──► discarded
//     └──cancelled───────────► canceled ◄──the provider cancelled its task── delivered

export const DISPATCH_STATES = ['received', 'delivered', 'completed', 'failed', 'canceled', 'discarded'] as const

/**
 * - `received`: stored; a deliver job carries it on. If its worker dies, the job's lease expires and another takes it.
 * - `delivered`: the provider has it. A provider event, or nothing more where the provider never reports.
 * - `completed`: Reten has its final result.
 * - `failed`: given up or refused, with a reason code; waits for an operator (replay or discard).
 * - `canceled`: stopped on purpose: before it was delivered, or the provider cancelled its task.
 * - `discarded`: a failed one that an operator took out for good.
 */
export type DispatchState = (typeof DISPATCH_STATES)[number]

/**
 * - `accepted`: the adapter says the provider took it.
 * - `final_event`: the provider reported a final result, which proves that it took it.
 * - `reported`: the final result stands at Reten.
 * - `gave_up`: rejected, out of retries, or poison.
 * - `cancel`: somebody does not want it any more; `task_canceled`: the provider cancelled what it had.
 */
export type DispatchEvent =
  'accepted' | 'final_event' | 'reported' | 'gave_up' | 'cancel' | 'task_canceled' | 'discard' | 'replay'

/**
 * What is known of a cancellation that the provider has a say in; none where it was stopped before anything was done.
 * - `requested`: the provider is asked, or will be once the delivery under way has its answer.
 * - `canceled`: it cancelled its task.
 * - `too_late`: the work was done first; its result stands.
 * - `refused`, `unsupported`, `gave_up`: its task exists or may exist, and is not cancelled: a person's business.
 */
export const CANCELLATIONS = ['requested', 'canceled', 'too_late', 'refused', 'unsupported', 'gave_up'] as const
export type Cancellation = (typeof CANCELLATIONS)[number]

type Row = Partial<Record<DispatchState, DispatchState>>

/** event → state → next state; a pair that is absent leaves the dispatch as it is. */
export const TRANSITIONS: Readonly<Record<DispatchEvent, Row>> = Object.freeze({
  accepted: { received: 'delivered' },
  final_event: { received: 'delivered' },
  reported: { delivered: 'completed', failed: 'completed', canceled: 'completed' },
  gave_up: { received: 'failed' },
  cancel: { received: 'canceled' },
  task_canceled: { delivered: 'canceled' },
  discard: { failed: 'discarded' },
  replay: {
    received: 'received',
    delivered: 'received',
    completed: 'received',
    failed: 'received',
    canceled: 'received',
    discarded: 'received',
  },
})

/** The state a dispatch is in after `event`, or undefined where the event changes nothing. */
export function transition(state: DispatchState, event: DispatchEvent): DispatchState | undefined {
  return TRANSITIONS[event][state]
}
