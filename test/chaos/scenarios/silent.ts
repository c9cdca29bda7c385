// Networks that carry nothing and say nothing: connections stay open and no byte arrives, in neither direction.
import type { Scenario } from '../scenario.ts'

const RATE = 40
// Longer than the service waits for a word of the database before it gives a connection up (35 s).
const DATABASE_SILENT_MS = 40_000
// Longer than a call to a provider or to Reten may take (15 s and 10 s).
const PEER_SILENT_MS = 20_000
const LONG_SILENT_MS = 120_000

const databaseSilent: Scenario = {
  name: 'database-silent',
  proves: 'one of two instances loses its database in a network that swallows everything',
  ratePerSecond: RATE,
  setUp: async (arena) => {
    const way = await arena.openWay('database')
    await Promise.all([arena.start('a', { settings: { DATABASE_URL: way.url } }), arena.start('b')])
    return async ({ isLong, wait }) => {
      way.silence()
      await wait(isLong ? LONG_SILENT_MS : DATABASE_SILENT_MS)
      way.restore()
    }
  },
}

function peerSilent(peer: 'yom' | 'reten', setting: string): Scenario {
  return {
    name: `${peer}-silent`,
    proves: `both instances lose ${peer === 'yom' ? 'YOM' : "Reten's API"} in a network that swallows everything`,
    ratePerSecond: RATE,
    setUp: async (arena) => {
      const way = await arena.openWay(peer)
      const settings = { [setting]: new URL(way.url).origin }
      await Promise.all([arena.start('a', { settings }), arena.start('b', { settings })])
      return async ({ isLong, wait }) => {
        way.silence()
        await wait(isLong ? LONG_SILENT_MS : PEER_SILENT_MS)
        way.restore()
      }
    },
  }
}

export const SILENT_SCENARIOS: readonly Scenario[] = [
  databaseSilent,
  peerSilent('yom', 'YOM_BASE_URL'),
  peerSilent('reten', 'RETEN_BASE_URL'),
]
