// Instances that end by force, in the middle of what they do, and are started again as an orchestrator would.
import { profileMostPerKey, profileOdds } from '../../../src/sandbox/fault-profiles.ts'
import type { Arena } from '../arena.ts'
import type { Scenario, Stagecraft } from '../scenario.ts'
import type { Instance } from '../service.ts'

const RATE = 60
// An orchestrator needs a moment to notice.
const GONE_MS = 1_000
const BETWEEN_MS = 3_000
const [SHORT_KILLS, LONG_KILLS] = [6, 60]

const killedOnce: Scenario = {
  name: 'worker-killed',
  proves: 'one of two instances is killed, once, and is started again',
  ratePerSecond: RATE,
  setUp: withPair(async (pair, { wait }) => {
    await pair.kill(1)
    await wait(GONE_MS)
    await pair.start(1)
  }),
}

const killedRepeatedly: Scenario = {
  name: 'worker-killed-repeatedly',
  proves: 'one of two instances is killed every few seconds, each as soon as it is back',
  ratePerSecond: RATE,
  setUp: withPair(killRepeatedly),
}

// Each 429 keeps the whole connection waiting for seconds, as it should: at the profile's odds nothing else would be seen.
const LESS_THROTTLING = { throttled: 0.002, throttled_seconds: 0.003, throttled_date: 0.002 }
const { storm: odds } = profileOdds

const storm: Scenario = {
  name: 'storm',
  proves: 'the same, while both stand-ins refuse, hang up, answer by halves, throttle, double and tell things late',
  ratePerSecond: 15,
  arena: {
    faults: {
      profile: 'storm',
      odds: { ...odds, tasks: { ...odds.tasks, ...LESS_THROTTLING }, results: { ...odds.results, ...LESS_THROTTLING } },
      mostPerKey: profileMostPerKey.storm,
    },
    // Four of an activity's attempts may be lost to the storm itself.
    dispatchAttempts: 8,
  },
  setUp: withPair(killRepeatedly),
}

async function killRepeatedly(pair: Pair, { random, isLong, wait }: Stagecraft): Promise<void> {
  for (let round = 0; round < (isLong ? LONG_KILLS : SHORT_KILLS); round += 1) {
    const which = random.fraction('kill', round) < 0.5 ? 0 : 1
    await pair.kill(which)
    await wait(GONE_MS)
    await pair.start(which)
    await wait(random.between(0, BETWEEN_MS, 'pause', round))
  }
}

interface Pair {
  kill(which: 0 | 1): Promise<void>
  start(which: 0 | 1): Promise<void>
}

function withPair(disturb: (pair: Pair, craft: Stagecraft) => Promise<void>): Scenario['setUp'] {
  return async (arena) => {
    const pair = await openPair(arena)
    return (craft) => disturb(pair, craft)
  }
}

async function openPair(arena: Arena): Promise<Pair> {
  const names = ['a', 'b'] as const
  const running: [Instance, Instance] = await Promise.all([arena.start(names[0]), arena.start(names[1])])
  return {
    kill: async (which) => {
      await running[which].end('SIGKILL')
      arena.balancer.remove(running[which].publicUrl)
    },
    start: async (which) => {
      running[which] = await arena.start(names[which])
    },
  }
}

export const KILLED_SCENARIOS: readonly Scenario[] = [killedOnce, killedRepeatedly]
export const STORM_SCENARIO = storm
