// What operators do.
import { idempotencyKey } from '../../../src/dispatch/identity.ts'
import { command, expectStatus, isUp, isUpAndKnown, nth } from './command.ts'
import type { Command } from './command.ts'
import { demand, Violation } from './history.ts'
import type { History } from './history.ts'

export const fixMapping = command('fixMapping', {
  check: (outline) => isUp(outline) && !outline.isMappingFixed,
  change: (outline) => void (outline.isMappingFixed = true),
  run: ({ world, connection }) =>
    demand(world, 'PATCH', `/connections/${connection}`, {
      settings: { field_paths: { commerce_external_id: '/rescue/commerce' } },
    }),
})

export const replayQuarantine = command('replayQuarantine', {
  check: isUp,
  run: async ({ world, connection, activities }) => {
    const listed = await world.admin('GET', `/quarantine?connection=${connection}&limit=100`)
    // Our own admin API lists rows with these fields.
    const rows = (listed?.body['data'] ?? []) as { id: string; activityId: string | null; replayedAt: string | null }[]
    for (const { id, activityId } of rows) {
      const answer = await world.admin('POST', `/quarantine/${id}/replay`, { reason: 'a history' })
      if (answer?.status !== 200) continue
      const activity = activities.find((known) => known.id === activityId)
      if (activity === undefined) throw new Violation(`quarantined body ${id} became a dispatch nobody sent`)
      activity.ids.add(String(answer.body['dispatchId']))
      activity.received += 1
    }
  },
})

export const pause = command('pause', {
  check: isUp,
  run: ({ world, connection }) => demand(world, 'POST', `/connections/${connection}/pause`, { reason: 'a history' }),
})

export const resume = command('resume', {
  check: isUp,
  run: ({ world, connection }) => demand(world, 'POST', `/connections/${connection}/resume`, {}),
})

export function replay(n: number): Command {
  return command(`replay(${n})`, {
    check: isUpAndKnown,
    run: async (history) => {
      const activity = nth(history, n)
      for (const id of activity.ids) {
        const answer = await history.world.admin('POST', `/dispatches/${id}/replay`, { reason: 'a history' })
        // Whoever gets no clear answer may have been heard.
        if ([202, 503].includes(answer?.status ?? 503)) activity.replays += 1
        else expectStatus(answer, [404, 409], 'a replay')
      }
    },
  })
}

export const lookAtParked = command('lookAtParked', { check: isUp, run: decideParked })

/** Looks at the provider for every parked delivery: what is there is marked as delivered, what is not is repeated. */
export async function decideParked(history: History): Promise<void> {
  const { world, connection } = history
  const parked = await world.db
    .selectFrom('jobs')
    .select(['dispatch_id', 'revision'])
    .where('connection', '=', connection)
    .where('parked_reason', 'is not', null)
    .execute()
  for (const { dispatch_id: id, revision } of parked) {
    const isThere = world.yom.tasksFor(idempotencyKey(id, revision)).length > 0
    const release = { action: isThere ? 'delivered' : 'repeat', reason: 'a history' }
    // Meanwhile the provider may have told that it is done.
    expectStatus(await decide(history, id, 'release', release), [200, 202, 409, 503], 'a release')
  }
}

export const discardFailed = command('discardFailed', {
  check: isUp,
  run: async (history) => {
    for (const activity of history.activities) {
      for (const id of activity.ids) {
        const answer = await decide(history, id, 'discard', { reason: 'a history' })
        if (answer?.status === 200 || answer?.status === 503) activity.discards += 1
        else expectStatus(answer, [404, 409], 'a discard')
      }
    }
  },
})

function decide({ world }: History, id: string, what: string, body: unknown) {
  return world.admin('POST', `/dispatches/${id}/${what}`, body)
}
