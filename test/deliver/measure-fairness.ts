// How long a healthy connection's dispatches wait from their commit to the call of the provider: alone, and beside one connection
// whose provider never answers and one whose provider answers late, both with a backlog. Rounds of both kinds take turns in one
// run, so that whatever else the machine does is in both.
import { sql } from 'kysely'
import type { Test } from 'tap'
import { computeDispatchId } from '../../src/dispatch/identity.ts'
import type { Db } from '../../src/store/database.ts'
import { storeDispatch, until } from '../support/ledger.ts'
import { sendJson, serve } from '../support/local-server.ts'
import { addWebhook, createInstance, start } from './instance-fixture.ts'

export interface Fairness {
  /** Milliseconds, ascending. */
  readonly alone: readonly number[]
  readonly together: readonly number[]
  /** Calls that the other two providers got meanwhile, so that "together" was no empty word. */
  readonly deadCalls: number
  readonly slowCalls: number
}

const BACKLOG = 40
const ROUNDS = 2
const SAMPLES_PER_ROUND = 50
const SLOW_ANSWER_MS = 400
const DEAD_TIMEOUT_MS = 150

/** Sets the three up; what it answers measures once. */
export async function prepareFairness(t: Test, db: Db): Promise<() => Promise<Fairness>> {
  const arrived = new Map<string, (ms: number) => void>()
  const healthy = await serve(t, (response, { headers }) => {
    arrived.get(String(headers['idempotency-key']))?.(performance.now())
    sendJson(response, 200, {})
  })
  const slow = await serve(t, (response) => void setTimeout(() => sendJson(response, 200, {}), SLOW_ANSWER_MS))
  const dead = await serve(t, () => {})
  await addWebhook(db, 'healthy', healthy.origin)
  await addWebhook(db, 'slow', slow.origin)
  // Tried again at once, for ever: a backlog that never ends.
  const retries = { retry_delays: Array.from({ length: 50 }, () => 0.01) }
  await addWebhook(db, 'dead', dead.origin, retries, { timeout_ms: DEAD_TIMEOUT_MS })
  let stored = 0
  /** What the slow provider has taken is followed by more, however long a round takes on a busy machine. */
  const fillUpSlow = async (): Promise<void> => {
    const waiting = await db.selectFrom('jobs').select('id').where('connection', '=', 'slow').execute()
    for (let missing = BACKLOG - waiting.length; missing > 0; missing -= 1) {
      await storeDispatch(db, `S-${(stored += 1)}`, { connection: 'slow' })
    }
  }
  for (let no = 0; no < BACKLOG; no += 1) await storeDispatch(db, `D-${no}`, { connection: 'dead' })
  // A breaker that opens for moments only: the worst that a dead provider can do here.
  const instance = await createInstance(t, db, { openForMs: [50] })
  start(t, instance)

  let number = 0
  const sample = async (): Promise<number> => {
    const arrival = Promise.withResolvers<number>()
    const activityId = `H-${(number += 1)}`
    arrived.set(computeDispatchId('healthy', activityId), arrival.resolve)
    await storeDispatch(db, activityId, { connection: 'healthy' })
    const committedMs = performance.now()
    instance.worker.nudge()
    return (await arrival.promise) - committedMs
  }
  const round = async (into: number[], prepare: () => Promise<void> = async () => {}): Promise<void> => {
    for (let taken = 0; taken < SAMPLES_PER_ROUND; taken += 1) {
      await prepare()
      into.push(await sample())
    }
  }
  const quiet = async (): Promise<void> => {
    await setOthersDue(db, sql`now() + interval '1 hour'`)
    await until(async () => {
      await setOthersDue(db, sql`now() + interval '1 hour'`)
      const busy = await db.selectFrom('jobs').select('id').where('leased_until', 'is not', null).execute()
      return busy.length === 0
    })
  }

  await quiet()
  await round([]) // what runs for the first time is compiled, connected and cached first
  return async () => {
    const alone: number[] = []
    const together: number[] = []
    const [slowBefore, deadBefore] = [slow.received.length, dead.received.length]
    for (let turn = 0; turn < ROUNDS; turn += 1) {
      await quiet()
      await round(alone)
      await fillUpSlow()
      await setOthersDue(db, sql`now()`)
      instance.worker.nudge()
      const [slowSoFar, deadSoFar] = [slow.received.length, dead.received.length]
      await until(() => slow.received.length > slowSoFar && dead.received.length > deadSoFar)
      await round(together, fillUpSlow)
    }
    return {
      alone: alone.toSorted((a, b) => a - b),
      together: together.toSorted((a, b) => a - b),
      deadCalls: dead.received.length - deadBefore,
      slowCalls: slow.received.length - slowBefore,
    }
  }
}

/** The value that this share of the samples, which are in order, does not exceed. */
export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.ceil(ascending.length * share) - 1)] ?? Number.NaN
}

async function setOthersDue(db: Db, at: ReturnType<typeof sql>): Promise<void> {
  await sql`update jobs set due_at = ${at} where connection in ('slow', 'dead') and leased_until is null`.execute(db)
}
