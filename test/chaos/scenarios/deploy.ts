// Deploys under load: instances are told to stop one by one and replaced, old and new ones side by side.
import type { Arena } from '../arena.ts'
import { makeNextRelease, makePreviousRelease, migrateBy, CHECKOUT, whyNoPreviousRelease } from '../releases.ts'
import type { Findings, Scenario, Stagecraft } from '../scenario.ts'
import type { Instance } from '../service.ts'

const RATE = 50
// Old and new ones work side by side for that long after each step.
const BETWEEN_MS = 1_500

/** As in production: an instance that is told to stop says so and goes on receiving until a balancer has seen it. */
const SETTINGS = { NODE_ENV: 'production' }

interface Place {
  readonly name: string
  readonly role: 'all' | 'http' | 'worker'
}

const WHOLE: readonly Place[] = [
  { name: 'a', role: 'all' },
  { name: 'b', role: 'all' },
]
const BY_ROLE: readonly Place[] = [
  { name: 'http-a', role: 'http' },
  { name: 'http-b', role: 'http' },
  { name: 'worker-a', role: 'worker' },
  { name: 'worker-b', role: 'worker' },
]

const toNextRelease: Scenario = {
  name: 'deploy',
  proves: 'a next release with an expanding migration replaces two instances, and one of them is rolled back',
  ratePerSecond: RATE,
  arena: { settings: SETTINGS },
  setUp: async (arena) => {
    const fleet = await startFleet(arena, WHOLE, CHECKOUT)
    const next = makeNextRelease(arena.scope)
    return async (craft) => {
      await migrateBy(next, arena.database.url)
      await fleet.replace(craft, 'a', CHECKOUT) // the old release, begun on the newer schema
      await fleet.replace(craft, 'a', next)
      await fleet.replace(craft, 'b', next)
      await fleet.replace(craft, 'a', CHECKOUT)
      return fleet.findings(craft)
    }
  },
}

const byRole: Scenario = {
  name: 'deploy-by-role',
  proves: 'the same where two instances receive and two others work',
  ratePerSecond: RATE,
  arena: { settings: SETTINGS },
  setUp: async (arena) => {
    const fleet = await startFleet(arena, BY_ROLE, CHECKOUT)
    const next = makeNextRelease(arena.scope)
    return async (craft) => {
      await migrateBy(next, arena.database.url)
      for (const { name } of BY_ROLE) await fleet.replace(craft, name, next)
      return fleet.findings(craft)
    }
  },
}

const fromPreviousRelease: Scenario = {
  name: 'deploy-from-previous',
  proves: 'the release before the newest migration, from the history, works on the newest schema and is replaced',
  ratePerSecond: RATE,
  arena: { settings: SETTINGS },
  skipped: whyNoPreviousRelease,
  setUp: async (arena) => {
    const previous = makePreviousRelease(arena.scope)
    const fleet = await startFleet(arena, WHOLE, previous)
    return async (craft) => {
      await fleet.replace(craft, 'a', CHECKOUT)
      await fleet.replace(craft, 'b', CHECKOUT)
      return fleet.findings(craft)
    }
  },
}

interface Fleet {
  /** Tells an instance to stop, waits until it has, and starts another release in its place. */
  replace(craft: Stagecraft, name: string, release: string): Promise<void>
  findings(craft: Stagecraft): Findings
}

async function startFleet(arena: Arena, places: readonly Place[], release: string): Promise<Fleet> {
  const start = ({ name, role }: Place, from: string): Promise<Instance> =>
    arena.start(name, { release: from, settings: { ROLE: role } })
  const running = new Map<string, Instance>()
  await Promise.all(places.map(async (place) => running.set(place.name, await start(place, release))))
  const broken: string[] = []
  return {
    replace: async ({ wait }, name, from) => {
      const [place, old] = [places.find((other) => other.name === name), running.get(name)]
      if (place === undefined || old === undefined) throw new Error(`there is no instance ${name}`)
      const { code, signal } = await old.end('SIGTERM')
      if (code !== 0) broken.push(`${name} was told to stop and ended with ${code ?? signal}`)
      arena.balancer.remove(old.publicUrl)
      running.set(name, await start(place, from))
      await wait(BETWEEN_MS)
    },
    findings: ({ arena: { reten } }) => ({ broken, notes: [describeRepeats(reten)] }),
  }
}

/** Attempts that were not acknowledged, by what came of them: Reten has three, and a deploy may cost one. */
function describeRepeats(reten: Arena['reten']): string {
  const failed = reten.activities().flatMap(({ pushes }) => pushes.filter((push) => push.outcome !== 'acknowledged'))
  const kinds = Object.entries(Object.groupBy(failed, (push) => `${push.statusCode ?? push.error ?? push.outcome}`))
  const counted = kinds.map(([kind, pushes]) => `${pushes?.length ?? 0} of ${kind}`)
  return `${failed.length} attempts of Reten's were repeated${counted.length === 0 ? '' : `: ${counted.join(', ')}`}`
}

export const DEPLOY_SCENARIOS: readonly Scenario[] = [toNextRelease, byRole, fromPreviousRelease]
