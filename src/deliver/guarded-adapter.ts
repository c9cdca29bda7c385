// An adapter behind its connection's breaker: every call is counted by what it came to, and a provider that asks to slow down is
// heard for the whole connection.
import type { Connection } from '../connection.ts'
import type { Outcome } from '../dispatch/outcome.ts'
import { THROTTLED_DELAY_MS } from '../dispatch/retry-policy.ts'
import type { Guards } from '../guards.ts'
import { NOT_FOUND } from './adapters/adapter.ts'
import type { Adapter } from './adapters/adapter.ts'
import { answerInTime } from './answer-in-time.ts'

/** What one delivery needs of an adapter. */
export type DeliveringAdapter = Pick<Adapter, 'capabilities' | 'deliver' | 'lookup'>

/** Guards the calls of one delivery. What `cut` ends (our own end, a lost claim) is nobody's fault. Its calls reject with BreakerOpen, and end when they are told to. */
export function guardAdapter(
  { breakers, holdOffs }: Guards<Outcome>,
  connection: Connection,
  adapter: DeliveringAdapter,
  cut: AbortSignal,
): DeliveringAdapter {
  const guard = async <T extends Outcome>(call: () => Promise<T>): Promise<T> => {
    const outcome = await breakers.run(connection, call, cut)
    // What HTTP headers say was heard already; a provider may say it in other ways.
    if (outcome.kind === 'throttled') holdOffs.hold(connection.name, outcome.retryAfterMs ?? THROTTLED_DELAY_MS)
    return outcome
  }
  const { lookup } = adapter
  return {
    capabilities: adapter.capabilities,
    deliver: (command, callSignal) => guard(() => answerInTime(adapter.deliver(command, callSignal), callSignal)),
    ...(lookup === undefined
      ? {}
      : {
          lookup: (command, callSignal) =>
            guard(() => answerInTime(lookup.call(adapter, command, callSignal), callSignal)),
        }),
  }
}

/** Whether the provider is at fault: it gave no answer, or one that settles nothing. A refusal is an answer. */
export function isProviderFault(outcome: Outcome): boolean {
  return outcome.kind === 'ambiguous' || (outcome.kind === 'retry' && outcome.code !== NOT_FOUND)
}
