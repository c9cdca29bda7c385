// What goes wrong, decided by seed. A draw names the place, the key of the request (an activity, a task) and how often
// that key was seen there, so a run repeats itself whatever order requests arrive in.
import { createSeededRandom, type DrawKey } from './seeded-random.ts'

/** What can go wrong with a request that a stand-in answers. */
export const requestFaults = [
  'reset_before', // the connection is reset before any work
  'error_before', // 500, nothing done
  'throttled', // 429 without a Retry-After, nothing done
  'throttled_seconds', // 429 with a Retry-After in seconds, nothing done
  'throttled_date', // 429 with a Retry-After that is a date, nothing done
  'slow', // the work is done and answered, late
  'lost_after', // the work is done, the connection dies without an answer
  'error_after', // the work is done, the answer says 502
  'half_answer', // the work is done, the answer breaks off in the middle
  'wrong_type', // the work is done, the answer is a page of HTML
] as const

/** What can go wrong when Reten's stand-in dispatches. */
export const dispatchFaults = [
  'never_sent', // the attempt fails before a byte is sent
  'hung_up', // everything is sent, then the connection is closed without waiting
  'reply_lost', // the reply arrives and is thrown away: a failed attempt, so it comes again
  'duplicate', // acknowledged, and sent again afterwards
  'twice_at_once', // sent twice at the same moment
] as const

/** What can go wrong when YOM's stand-in calls back. */
export const webhookFaults = [
  'doubled', // the same event twice, one after the other
  'late', // long after it happened
  'reordered', // the event that the work began arrives after the one that it ended
  'early', // before the creation of the task is answered
] as const

/** A kind of fault, of any place. */
export type FaultKind =
  (typeof requestFaults)[number] | (typeof dispatchFaults)[number] | (typeof webhookFaults)[number]

/** Where faults strike: Reten's dispatches and results endpoint, YOM's tasks, token grant and webhooks. */
export const faultPlaces = ['dispatch', 'results', 'tasks', 'token', 'webhook'] as const

/** One of the places. */
export type FaultPlace = (typeof faultPlaces)[number]

/** A fault that was drawn; `roll` in [0, 1) decides its details, such as how slow. */
export interface Fault {
  readonly kind: FaultKind
  readonly roll: number
}

/** The chance of each kind, per place; what is missing never happens. */
export type FaultOdds = Readonly<Partial<Record<FaultPlace, Readonly<Partial<Record<FaultKind, number>>>>>>

/** A named amount of trouble. */
export type FaultProfile = 'none' | 'some' | 'storm'

/** How faults are drawn. */
export interface FaultOptions {
  /** Default `none`. */
  readonly profile?: FaultProfile
  /** Default: the stand-in's own seed. */
  readonly seed?: DrawKey
  /** Replaces the profile's chances at the places it names. */
  readonly odds?: FaultOdds
  /** After this many faults for one key at one place it is left alone. Default: the profile's. */
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

const SOME_REQUESTS = {
  reset_before: 0.02,
  error_before: 0.02,
  throttled: 0.01,
  throttled_seconds: 0.01,
  throttled_date: 0.01,
  slow: 0.02,
  lost_after: 0.02,
  error_after: 0.01,
  half_answer: 0.01,
  wrong_type: 0.01,
} as const

const STORM_REQUESTS = {
  reset_before: 0.08,
  error_before: 0.08,
  throttled: 0.03,
  throttled_seconds: 0.03,
  throttled_date: 0.02,
  slow: 0.05,
  lost_after: 0.08,
  error_after: 0.05,
  half_answer: 0.05,
  wrong_type: 0.03,
} as const

const profileOdds: Readonly<Record<FaultProfile, FaultOdds>> = {
  none: {},
  some: {
    dispatch: { never_sent: 0.02, hung_up: 0.02, reply_lost: 0.03, duplicate: 0.03, twice_at_once: 0.02 },
    results: SOME_REQUESTS,
    tasks: SOME_REQUESTS,
    token: SOME_REQUESTS,
    webhook: { doubled: 0.05, late: 0.03, early: 0.02 },
  },
  storm: {
    dispatch: { never_sent: 0.05, hung_up: 0.1, reply_lost: 0.15, duplicate: 0.15, twice_at_once: 0.1 },
    results: STORM_REQUESTS,
    tasks: STORM_REQUESTS,
    token: STORM_REQUESTS,
    webhook: { doubled: 0.2, late: 0.1, reordered: 0.1, early: 0.1 },
  },
}

// A key that is unlucky for ever would prove nothing but that retries end. For dispatches the bound also keeps Reten's
// three attempts from being eaten by faults alone.
const profileMostPerKey: Readonly<Record<FaultProfile, number>> = { none: 0, some: 2, storm: 4 }
const MOST_DISPATCH_FAULTS = 2

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
    const most = current.mostPerKey ?? profileMostPerKey[profile]
    if (memory.struck >= (place === 'dispatch' ? Math.min(most, MOST_DISPATCH_FAULTS) : most)) return undefined
    const kind = choose(odds, random.fraction(name, memory.draws))
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

const choose = (odds: Readonly<Partial<Record<FaultKind, number>>>, fraction: number): FaultKind | undefined => {
  let bound = 0
  for (const kind of [...requestFaults, ...dispatchFaults, ...webhookFaults]) {
    bound += odds[kind] ?? 0
    if (fraction < bound) return kind
  }
  return undefined
}
