// PostgreSQL goes away: restarted, its sessions ended, its slots taken.
import type { Arena } from '../arena.ts'
import type { StopMode } from '../database.ts'
import type { Scenario } from '../scenario.ts'
import { startGreedy } from './greedy.ts'
import { twoInstances } from './two-instances.ts'

const RATE = 60

const [SHORT_RESTARTS, LONG_RESTARTS] = [2, 10]
// A restart in order takes seconds, a fail-over more; Reten's first repeat must find it back.
const DOWN_MS = 3_000
const BETWEEN_MS = 4_000

function restarts(mode: StopMode): Scenario {
  return {
    name: `postgres-restart-${mode}`,
    proves: `PostgreSQL is stopped (${mode}) and is back ${DOWN_MS / 1_000} s later, more than once`,
    ratePerSecond: RATE,
    setUp: twoInstances(async ({ arena, isLong, wait }) => {
      for (let left = isLong ? LONG_RESTARTS : SHORT_RESTARTS; left > 0; left -= 1) {
        await arena.database.restart(mode, DOWN_MS)
        if (left > 1) await wait(BETWEEN_MS)
      }
    }),
  }
}

const OURS = `from pg_stat_activity where application_name like 'reten-dispatch%'`
const KILL_EVERY_MS = 200

const backendsKilled: Scenario = {
  name: 'backends-killed',
  proves: 'five times a second half of the sessions are ended in the middle of what they do',
  ratePerSecond: RATE,
  setUp: twoInstances(async ({ arena, random, isLong, wait }) => {
    const rounds = (isLong ? 60_000 : 8_000) / KILL_EVERY_MS
    for (let round = 0; round < rounds; round += 1) {
      const chosen = (await listSessions(arena)).filter((pid) => random.fraction('kill', round, pid) < 0.5)
      await arena.database.query('select pg_terminate_backend(pid) from unnest($1::int[]) as pid', [chosen])
      await wait(KILL_EVERY_MS)
    }
  }),
}

async function listSessions({ database }: Arena): Promise<number[]> {
  return (await database.query<{ pid: number }>(`select pid ${OURS}`)).map((row) => row.pid)
}

const SLOTS = 40
const GREEDY = 300

const slotsExhausted: Scenario = {
  name: 'slots-exhausted',
  proves: `${GREEDY} idle sessions want ${SLOTS} slots, and every second the service's own sessions are ended`,
  ratePerSecond: RATE,
  arena: { postgres: { max_connections: String(SLOTS) } },
  setUp: twoInstances(async ({ arena, isLong, wait }) => {
    // Opened before: nobody gets in afterwards.
    const admin = await arena.database.connect()
    const greedy = startGreedy(arena.database.url, GREEDY)
    arena.scope.teardown(greedy.end)
    for (let seconds = isLong ? 60 : 10; seconds > 0; seconds -= 1) {
      await admin.query(`select pg_terminate_backend(pid) ${OURS}`)
      await wait(1_000)
    }
    await greedy.end()
  }),
}

export const POSTGRES_SCENARIOS: readonly Scenario[] = [
  restarts('fast'),
  restarts('immediate'),
  backendsKilled,
  slotsExhausted,
]
