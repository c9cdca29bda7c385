// Time that passes, and the end of a history: the trouble is over, and everything comes to where it stays.
import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { createSilentLogger } from '../../../src/logger.ts'
import { createEventMatcher } from '../../../src/store/match-provider-events.ts'
import { rescueJobs } from '../../../src/store/rescue-jobs.ts'
import { Violation } from './history.ts'
import type { History } from './history.ts'
import { decideParked } from './operator-commands.ts'

/** Without any change for so long, nothing will change any more: YOM's stand-in waits a minute at most before it tells again. */
const STILL_TIMEOUT_MS = 90_000
/** What is due and can be done is begun at once; longer than this something else has to happen first. */
const BUSY_TIMEOUT_MS = 1_000
const POLL_MS = 50
const RESTART_AFTER_MS = 3_000

/**
 * Lets waiting times run out: those of retries, of leases whose worker has ended, and of what a dead instance had taken on.
 * Then resolves when whatever can be done by now is done, or after a second.
 */
export async function hurry(history: History, isAllTold = false): Promise<void> {
  await runOut(history, isAllTold)
  if (history.world.service() === undefined) return
  const until = performance.now() + BUSY_TIMEOUT_MS
  while ((await countDue(history)) > 0 && performance.now() < until) await pause(POLL_MS)
}

async function runOut({ world, connection }: History, isAllTold: boolean): Promise<void> {
  const { db } = world
  const alive = `%:${world.service()?.pid ?? 0}:%`
  // A PENDING result waits for a final one to take its place, which comes within that time.
  await sql`
    update jobs set due_at = now() where connection = ${connection} and due_at > now()
      and leased_until is null and parked_reason is null
      and (${isAllTold} or not exists (select from results r where r.id = jobs.result_id and r.status = 'PENDING'))`.execute(
    db,
  )
  await sql`
    update jobs set leased_until = now() - interval '1 second'
    where leased_until > now() and claimed_by not like ${alive}`.execute(db)
  await sql`
    update periodic_leases set leased_until = now() - interval '1 second' where holder not like ${alive}`.execute(db)
  await sql`update connection_budgets set closed_until = now() where closed_until > now()`.execute(db)
  // As another instance would, so that nobody waits for the next turn of this one.
  await rescueJobs(db)
  await createEventMatcher(db, createSilentLogger())()
  await sql`select pg_notify('reten_dispatch_receiver', kind) from (values ('deliver'), ('report')) as k (kind)`.execute(
    db,
  )
}

async function countDue({ world, connection }: History): Promise<number> {
  const { rows } = await sql<{ due: number }>`
    select count(*)::int as due from jobs j join connections c on c.name = j.connection
    where connection = ${connection} and parked_reason is null and due_at <= now()
      and (c.state = 'active' or j.kind = 'report')`.execute(world.db)
  return rows[0]?.due ?? 0
}

/** Ends all trouble and waits until nothing is left to do; throws where that does not come. */
export async function comeToRest(history: History): Promise<void> {
  const { world, connection } = history
  world.calm()
  world.yom.setSwitches({ idempotency: history.style.mode })
  await world.start()
  history.connectProvider()
  let last = ''
  let isRestarted = false
  let changedAt = performance.now()
  for (;;) {
    await world.admin('POST', `/connections/${connection}/resume`, {})
    // What is parked holds up what is behind it, until somebody looks.
    if (history.style.ordering === 'commerce') await decideParked(history)
    await hurry(history, isAllTold(history))
    if (await isAtRest(history)) return
    const now = JSON.stringify(await describeOpen(history))
    if (now !== last) changedAt = performance.now()
    last = now
    const stillMs = performance.now() - changedAt
    // A breaker leaves a destination alone for up to a minute; a process that has just started knows of nothing to leave alone.
    if (stillMs > RESTART_AFTER_MS && !isRestarted) {
      isRestarted = true
      await world.end('SIGTERM')
      await world.start()
      history.connectProvider()
      changedAt = performance.now()
    }
    if (stillMs > STILL_TIMEOUT_MS) throw new Violation(`it does not come to rest: ${now}`)
    await pause(POLL_MS)
  }
}

/** Every task has ended, and the service has been told of it. */
function isAllTold({ world }: History): boolean {
  const { eventsWaiting, byStatus } = world.yom.counts()
  return eventsWaiting === 0 && (byStatus['OPEN'] ?? 0) === 0
}

async function isAtRest(history: History): Promise<boolean> {
  if (!isAllTold(history)) return false
  await history.world.yom.idle()
  return (await countOpen(history)) === 0
}

/** Jobs that do not wait for a person. */
async function countOpen({ world, connection }: History): Promise<number> {
  const { rows } = await sql<{ open: number }>`
    select count(*)::int as open from jobs where connection = ${connection} and parked_reason is null`.execute(world.db)
  return rows[0]?.open ?? 0
}

async function describeOpen({ world, connection }: History): Promise<unknown> {
  const { rows } = await sql`
    select j.*, d.state, d.activity_id from jobs j left join dispatches d on d.id = j.dispatch_id
    where j.connection = ${connection} and parked_reason is null order by j.id limit 20`.execute(world.db)
  return { jobs: rows, provider: world.yom.counts() }
}
