// What the provider and Reten do: faults, refusals, results that come twice, early or for nothing; and time.
import { randomUUID } from 'node:crypto'
import type { FaultKind } from '../../../src/sandbox/fault-kinds.ts'
import { hurry } from './come-to-rest.ts'
import { command, expectStatus, isKnown, isUp, nth } from './command.ts'
import type { Command } from './command.ts'

/** Faults after which nobody knows whether the provider did the work. */
const LOSING = new Set<FaultKind>([
  'reset_before',
  'error_before',
  'lost_after',
  'error_after',
  'half_answer',
  'wrong_type',
])

export function armProvider(kinds: readonly FaultKind[]): Command {
  return command(`armProvider(${kinds.join(' ')})`, {
    run: async ({ world, excuses }) => {
      if (kinds.some((kind) => LOSING.has(kind))) excuses.lostAnswers += 1
      world.yom.faults.script('tasks', kinds)
    },
  })
}

export function armReten(kinds: readonly FaultKind[]): Command {
  return command(`armReten(${kinds.join(' ')})`, {
    run: async ({ world }) => world.reten.faults.script('results', kinds),
  })
}

export function armWebhooks(kinds: readonly FaultKind[]): Command {
  return command(`armWebhooks(${kinds.join(' ')})`, {
    run: async ({ world, excuses }) => {
      if (kinds.includes('reordered')) excuses.progress += 1
      world.yom.faults.script('webhook', kinds)
    },
  })
}

export const tellProgress = command('tellProgress', {
  run: async ({ world, excuses }) => {
    excuses.progress += 1
    world.yom.setSwitches({ sendsProgress: true })
  },
})

export function tellAgain(n: number): Command {
  return command(`tellAgain(${n})`, {
    check: isKnown,
    run: async (history) => {
      for (const id of nth(history, n).ids) history.world.yom.resendWebhook(id)
    },
  })
}

export const tellUnknown = command('tellUnknown', {
  check: isUp,
  run: async (history) => {
    const event = eventOf({ dispatchId: randomUUID(), activityId: randomUUID() })
    expectStatus(await history.tell(event), [202], 'a result of nothing we know')
  },
})

/** A result of an activity that is dispatched later, or never. */
export function tellEarly(isDispatched: boolean): Command {
  return command(`tellEarly(${isDispatched})`, {
    check: isUp,
    change: (outline) => void (outline.activities += 1),
    run: async (history) => {
      const activity = history.addActivity()
      activity.foreignResults += 1
      expectStatus(await history.tell(eventOf({ activityId: activity.id })), [202], 'an early result')
      if (isDispatched) expectStatus(await history.send(activity), [200, 201], 'a dispatch whose result came early')
    },
  })
}

function eventOf(ids: Readonly<Record<string, string>>): Record<string, unknown> {
  const occurredAt = new Date().toISOString()
  return { ...ids, eventId: randomUUID(), status: 'EFFECTIVE', result: 'SALE_COMPLETED', occurredAt }
}

export const refuseCommerces = command('refuseCommerces', {
  run: async ({ world, excuses }) => {
    excuses.refusals += 1
    world.yom.setSwitches({ unknownCommerces: ['C-1001', 'C-1003'] })
  },
})

export const takeCommerces = command('takeCommerces', {
  run: async ({ world }) => world.yom.setSwitches({ unknownCommerces: [] }),
})

export const refuseKey = command('refuseKey', { run: async ({ world }) => world.yom.setApiKey('another-key') })

export const timePasses = command('timePasses', { run: (history) => hurry(history) })
