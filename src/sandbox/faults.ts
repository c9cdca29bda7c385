// What goes wrong, decided by seed. A draw names the place, the key of the request (an activity, a task) and how often
// that key was seen there, so a run repeats itself whatever order requests arrive in.
import { faultKindsAt, type FaultKind, type FaultPlace } from './fault-kinds.ts'
import {
  MOST_DISPATCH_FAULTS,
  profileMostPerKey,
  profileOdds,
  type FaultOdds,
  type FaultProfile,
} from './fault-profiles.ts'
import { createSeededRandom, type DrawKey } from './seeded-random.ts'

/** A fault that was drawn; `roll` in [0, 1) decides its details, such as how slow. */
export interface Fault {
  readonly kind: FaultKind
  readonly roll: number
}

/** How faults are drawn. */
export interface FaultOptions {
  /** Default `none`. */
  readonly profile?: FaultProfile
  /** Default: the stand-in's own seed. */
  readonly seed?: DrawKey
  /** Replaces the profile's chances at the places it names. */
  readonly odds?: FaultOdds
  /** After this many faults for one key at one place it is left alone. Default: the profile's; no bound for `odds`. */
  readonly mostPerKey?: number
}

/** Draws faults. */
export interface Faults {
  /** What happens to this request; `undefined`: nothing. */
  draw(place: FaultPlace, key: string): Fault | undefined
  /** The next requests at this place meet these faults, in this order, before any drawing; `none` lets one pass. */
  script(place: FaultPlace, kinds: readonly (FaultKind | 'none')[]): void
  /** Starts over with other options; scripted faults and memories are gone. */
  configure(options: FaultOptions): void
  /** How often each kind struck. */
  counts(): Readonly<Record<string, number>>
  /** The profile in force. */
  profile(): FaultProfile
}

/** Makes a source of faults. */
export const createFaults = (ownSeed: DrawKey, options: FaultOptions = {}): Faults => {
  const scripted = new Map<FaultPlace, (FaultKind | 'none')[]>()
  const counts = new Map<string, number>()
  const seen = new Map<string, { draws: number; struck: number }>()
  let current = options
  let random = createSeededRandom(options.seed ?? ownSeed)

  const strike = (place: FaultPlace, kind: FaultKind, roll: number): Fault => {
    counts.set(`${place}.${kind}`, (counts.get(`${place}.${kind}`) ?? 0) + 1)
    return { kind, roll }
  }

  const mostFor = (place: FaultPlace): number => {
    if (current.mostPerKey !== undefined) return current.mostPerKey
    // Chances somebody chose are not bounded unless they say so.
    if (current.odds?.[place] !== undefined) return Number.POSITIVE_INFINITY
    const most = profileMostPerKey[current.profile ?? 'none']
    return place === 'dispatch' ? Math.min(most, MOST_DISPATCH_FAULTS) : most
  }

  const draw = (place: FaultPlace, key: string): Fault | undefined => {
    const next = scripted.get(place)?.shift()
    if (next !== undefined) return next === 'none' ? undefined : strike(place, next, 0)
    const profile = current.profile ?? 'none'
    const odds = current.odds?.[place] ?? profileOdds[profile][place]
    if (odds === undefined) return undefined

    const name = `${place}\n${key}`
    const memory = seen.get(name) ?? { draws: 0, struck: 0 }
    seen.set(name, memory)
    memory.draws += 1
    if (memory.struck >= mostFor(place)) return undefined
    const kind = choose(place, odds, random.fraction(name, memory.draws))
    if (kind === undefined) return undefined
    memory.struck += 1
    return strike(place, kind, random.fraction(name, memory.draws, 'roll'))
  }

  return {
    draw,
    script: (place, kinds) => scripted.set(place, [...(scripted.get(place) ?? []), ...kinds]),
    configure: (replacement) => {
      current = replacement
      random = createSeededRandom(replacement.seed ?? ownSeed)
      seen.clear()
      scripted.clear()
    },
    counts: () => Object.fromEntries(counts),
    profile: () => current.profile ?? 'none',
  }
}

const choose = (
  place: FaultPlace,
  odds: Readonly<Partial<Record<FaultKind, number>>>,
  fraction: number,
): FaultKind | undefined => {
  let bound = 0
  for (const kind of faultKindsAt[place]) {
    bound += odds[kind] ?? 0
    if (fraction < bound) return kind
  }
  return undefined
}
