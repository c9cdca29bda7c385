// What must be true of a history that has come to rest, by what both stand-ins saw and by what the service stored.
import { sql } from 'kysely'
import { idempotencyKey } from '../../../src/dispatch/identity.ts'
import type { DispatchState } from '../../../src/dispatch/states.ts'
import { countStrayJobs, countUnaccounted } from '../../../src/store/count-unaccounted.ts'
import { Violation } from './history.ts'
import type { History, SentActivity } from './history.ts'

/** How a dispatch ended. */
export interface Ending {
  readonly id: string
  readonly state: DispatchState
  readonly reason: string | null
  readonly revision: number
  readonly parked: string | null
  /** States of its results, and why. */
  readonly results: readonly { readonly state: string; readonly reason: string | null; readonly status: string }[]
}

/** Throws a Violation that names everything wrong. */
export async function judge(history: History): Promise<readonly Ending[]> {
  const { db } = history.world
  const endings = await readEndings(history)
  const faults: string[] = []
  for (const activity of history.activities) {
    const stored = endings.find(({ activityId }) => activityId === activity.id)
    const found = [
      ...judgeReceipt(activity, stored),
      ...(stored === undefined ? [] : judgeEnding(history, activity, stored)),
    ]
    faults.push(...found.map((fault) => `${fault}: ${JSON.stringify({ ...activity, ids: [...activity.ids], stored })}`))
  }
  faults.push(...(await judgeQuarantine(history)))
  const { unaccounted } = await countUnaccounted(db)
  if (unaccounted > 0) faults.push(`${unaccounted} dispatches are carried on by nothing`)
  const stray = await countStrayJobs(db)
  if (stray > 0) faults.push(`${stray} jobs belong to no dispatch`)
  if (faults.length > 0) throw new Violation(`${faults.join('\n')}\n${JSON.stringify(history.excuses)}`)
  return endings
}

type Stored = Ending & { readonly activityId: string }

async function readEndings({ world, connection }: History): Promise<readonly Stored[]> {
  const { rows } = await sql<Stored>`
    select d.id, d.activity_id as "activityId", d.state, d.reason_code as reason, d.revision, j.parked_reason as parked,
      coalesce((
        select json_agg(json_build_object('state', r.state, 'reason', r.reason_code, 'status', r.status) order by created_at)
        from results r where r.dispatch_id = d.id), '[]') as results
    from dispatches d left join jobs j on j.dispatch_id = d.id and j.kind = 'deliver'
    where d.connection = ${connection}`.execute(world.db)
  return rows
}

/** Acknowledged means stored, under the id that was told. */
function judgeReceipt(activity: SentActivity, stored: Stored | undefined): string[] {
  if (stored === undefined) return activity.received > 0 ? ['acknowledged and not stored'] : []
  return activity.ids.size === 0 || activity.ids.has(stored.id) ? [] : ['stored under another id than was told']
}

async function judgeQuarantine({ world, connection, activities }: History): Promise<string[]> {
  const { rows } = await sql<{ activity_id: string | null }>`
    select activity_id from quarantine where connection = ${connection}`.execute(world.db)
  const kept = new Set(rows.map((row) => row.activity_id))
  return activities
    .filter(({ id, quarantined }) => quarantined > 0 && !kept.has(id))
    .map(({ id }) => `${id} was answered QUARANTINED and is not kept`)
}

function judgeEnding(history: History, activity: SentActivity, stored: Stored): string[] {
  return [
    ...judgeState(history, activity, stored),
    ...judgeTasks(history, activity, stored),
    ...judgeResults(history, activity, stored),
  ]
}

function judgeState({ excuses, style }: History, activity: SentActivity, stored: Stored): string[] {
  const { state, reason, parked } = stored
  switch (state) {
    case 'received':
      if (parked === null) return ['received, and not parked']
      // Only a provider that can neither recognise nor find a repeat needs a person to look.
      if (style.mode !== 'none') return [`parked (${parked}) though the provider can tell`]
      return excuses.lostAnswers + excuses.kills > 0 ? [] : [`parked (${parked}) for nothing`]
    case 'failed':
      if (reason === 'http_404' && excuses.refusals > 0) return []
      return reason === 'crashed_worker' && excuses.kills >= 3 ? [] : [`failed for no reason (${reason})`]
    case 'delivered':
    case 'completed':
      return parked === null ? [] : [`${state}, and parked (${parked})`]
    case 'discarded':
      return activity.discards > 0 ? [] : ['discarded by nobody']
    default:
      return [`ended ${state}, which nobody asked for`]
  }
}

/** One task for each revision, and one more for each delivery that was asked for where the provider does not know keys. */
function judgeTasks({ world, style }: History, activity: SentActivity, stored: Stored): string[] {
  const most = style.mode === 'key' ? 1 : 1 + activity.replays
  return Array.from({ length: stored.revision + 1 }, (_, revision) => {
    const tasks = world.yom.tasksFor(idempotencyKey(stored.id, revision)).length
    if (tasks > most) return [`${tasks} tasks of revision ${revision}, at most ${most} were asked for`]
    // Somebody else's word for it is taken, too: then the provider may have refused it, or never have been asked.
    const isTaken = stored.state === 'delivered' || stored.state === 'completed'
    const isDone = isTaken && activity.foreignResults === 0
    const isLast = revision === stored.revision
    return isDone && isLast && tasks === 0 ? [`${stored.state}, and revision ${revision} has no task`] : []
  }).flat()
}

/** Reten has one final result of whatever the provider did, and was told it once. */
function judgeResults({ world, excuses }: History, activity: SentActivity, stored: Stored): string[] {
  const faults: string[] = []
  const { final = 0, doubled = 0 } = world.reten.activity(activity.id)?.registrations ?? {}
  let tasks = activity.foreignResults
  for (let revision = 0; revision <= stored.revision; revision += 1) {
    tasks += world.yom.tasksFor(idempotencyKey(stored.id, revision)).length
  }
  if (doubled > 0) faults.push('its result stands at Reten twice')
  if (final > 1) faults.push(`${final} final results stand at Reten`)
  if (final === 0 && tasks > 0 && excuses.progress === 0) faults.push('done, and Reten does not know')
  if (stored.state === 'completed' && final === 0) faults.push('completed, and Reten has no final result')
  if (stored.state === 'delivered' && tasks === 1 && excuses.progress === 0) faults.push('its result was not reported')
  for (const { state, reason } of stored.results) {
    const isSecond = state === 'conflict' && (tasks > 1 || excuses.progress > 0)
    const isPendingOvertaken = ['superseded', 'unproven'].includes(state) && excuses.progress > 0
    if (state !== 'reported' && !isSecond && !isPendingOvertaken) faults.push(`a result ended ${state} (${reason})`)
  }
  return faults
}
