// Which commands are drawn, and how often.
import fc from 'fast-check'
import { requestFaults, webhookFaults } from '../../../src/sandbox/fault-kinds.ts'
import type { FaultKind } from '../../../src/sandbox/fault-kinds.ts'
import type { Command } from './command.ts'
import * as operator from './operator-commands.ts'
import * as service from './process-commands.ts'
import * as sender from './sender-commands.ts'
import * as trouble from './trouble-commands.ts'

const number = fc.nat(40)
const faults = <K extends FaultKind>(kinds: readonly K[]) =>
  fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 4 })

/** Every command, the likely ones more often; ending a process costs a second, so it is rare. */
export function drawCommand(): fc.Arbitrary<Command> {
  const few = fc.integer({ min: 1, max: 4 })
  const stop = fc.record({
    signal: fc.constantFrom('SIGKILL' as const, 'SIGTERM' as const),
    staysDown: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  })
  const drawn: readonly (readonly [weight: number, arbitrary: fc.Arbitrary<Command>])[] = [
    [12, few.map(sender.dispatch)],
    [6, fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 3 })).map(([a, b]) => sender.burst(a, b))],
    [6, number.map(sender.repeat)],
    [5, fc.tuple(number, few).map(([n, score]) => sender.repeatChanged(n, score))],
    [4, fc.tuple(number, fc.boolean()).map(([n, isNew]) => sender.unreadable(n, isNew))],
    [1, fc.constant(sender.unidentified)],
    [1, fc.constant(operator.fixMapping)],
    [2, fc.constant(operator.replayQuarantine)],
    [9, faults(requestFaults).map(trouble.armProvider)],
    [6, faults(requestFaults).map(trouble.armReten)],
    [4, faults(webhookFaults).map(trouble.armWebhooks)],
    [1, fc.constant(trouble.tellProgress)],
    [3, number.map(trouble.tellAgain)],
    [2, fc.constant(trouble.tellUnknown)],
    [2, fc.boolean().map(trouble.tellEarly)],
    [2, fc.constant(operator.pause)],
    [3, fc.constant(operator.resume)],
    [5, number.map(operator.replay)],
    [4, fc.constant(operator.lookAtParked)],
    [2, fc.constant(operator.discardFailed)],
    [2, fc.constant(trouble.refuseCommerces)],
    [2, fc.constant(trouble.takeCommerces)],
    [1, fc.constant(trouble.refuseKey)],
    [8, fc.constant(service.start)],
    [2, stop.map(service.end)],
    [3, fc.tuple(stop, fc.integer({ min: 4, max: 16 }), fc.nat(16)).map(([s, a, b]) => service.endAmid(s, a, b))],
    [8, fc.constant(trouble.timePasses)],
  ]
  return fc.oneof(...drawn.map(([weight, arbitrary]) => ({ weight, arbitrary })))
}
