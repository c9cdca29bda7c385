// One dispatch from its bytes to its result at Reten, in a process killed at every point it crosses.
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { countJobs } from '../../../src/store/show-connection.ts'
import { createScope } from '../../support/scope.ts'
import { comeToRest } from '../model/come-to-rest.ts'
import { openHistory } from '../model/history.ts'
import type { History, ProviderMode, SentActivity } from '../model/history.ts'
import { judge } from '../model/judge.ts'
import { openWorld } from '../model/world.ts'
import type { World } from '../model/world.ts'

const PRELOAD = fileURLToPath(new URL('preload.ts', import.meta.url))
const POLL_MS = 10
const LAST_WORD_MS = 500

export interface KillPointsOptions {
  readonly mode: ProviderMode
  /** Names of crossings; left out: every one of a life that is not cut short. */
  readonly points?: readonly string[] | undefined
  readonly lanes: number
  readonly onKill?: (point: string) => void
  /** Once it aborts, no further one is begun. */
  readonly signal?: AbortSignal
}

export interface KillPointsReport {
  /** Crossings that a process was killed at. */
  readonly killed: number
  /** Crossings that did not come again: which statements there are depends on what happens at once. */
  readonly missed: readonly string[]
  /** Where something was lost or doubled, and what. */
  readonly failed: readonly string[]
}

/** Kills at each point; one that goes wrong is told and does not stop the others. */
export async function runKillPoints(options: KillPointsOptions): Promise<KillPointsReport> {
  const points = options.points ?? (await listPoints(options.mode))
  const places = points.values()
  const missed: string[] = []
  const failed: string[] = []
  let killed = 0

  const lane = async (): Promise<void> => {
    for (const place of places) {
      if (options.signal?.aborted === true) return
      const scope = createScope()
      try {
        const { isKilled } = await live(await openWorld(scope, PRELOAD), options.mode, place)
        if (isKilled) {
          killed += 1
          options.onKill?.(place)
        } else missed.push(place)
      } catch (error) {
        failed.push(`${options.mode}, ${place}: ${String(error)}`)
      } finally {
        await scope.end()
      }
    }
  }

  await Promise.all(Array.from({ length: options.lanes }, lane))
  return { killed, missed, failed }
}

/** Every crossing of a life that is not cut short. */
async function listPoints(mode: ProviderMode): Promise<string[]> {
  const scope = createScope()
  try {
    const { told } = await live(await openWorld(scope, PRELOAD), mode, '')
    return [...told.matchAll(/^crossed (.*)$/gm)].map(([, name]) => name ?? '')
  } finally {
    await scope.end()
  }
}

/** One life that is killed at `place`, and the one that goes on. */
async function live(
  world: World,
  mode: ProviderMode,
  place: string,
): Promise<{ readonly isKilled: boolean; readonly told: string }> {
  await world.end('SIGKILL')
  await world.start({ KILL_AT: place })
  const service = world.service()
  if (service === undefined) throw new Error('the service did not start')
  const history = await openHistory(world, { mode, onChangedBody: 'keep', ordering: 'none', maxInFlight: 4 })
  const activity = history.addActivity()
  const isSent = await sendAll(history, activity)
  const isDead = new AbortController()
  void service.ended.then(() => isDead.abort())
  await untilReported(history, isDead.signal)
  // Written down is not yet told to the one who wrote it.
  if (place !== '') await Promise.race([service.ended, pause(LAST_WORD_MS)])
  const isKilled = isDead.signal.aborted
  const told = service.stderr()
  if (isKilled) {
    history.excuses.kills += 1
    await world.end('SIGKILL')
    await world.start()
    history.connectProvider()
  }
  // As Reten does with what was not acknowledged.
  if (!isSent && !(await sendAll(history, activity))) throw new Error('the service that goes on does not answer')
  await comeToRest(history)
  await judge(history)
  return { isKilled, told }
}

/** Sends it twice, and once more with a body that cannot be read; false where an answer did not come. */
async function sendAll(history: History, activity: SentActivity): Promise<boolean> {
  const unreadable = { commerce: { externalId: 7 } }
  for (const change of [{}, {}, unreadable]) {
    if ((await history.send(activity, change)) === undefined) return false
  }
  return true
}

/** Waits until every result stands at Reten and the last word about it is written down, or the service has ended. */
async function untilReported({ world, connection, activities }: History, isDead: AbortSignal): Promise<void> {
  while (!isDead.aborted) {
    const isKnown = activities.every(({ id }) => world.reten.activity(id)?.result !== undefined)
    if (isKnown && (await countJobs(world.db, connection)) === 0) return
    await pause(POLL_MS)
  }
}
