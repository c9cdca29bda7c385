import fc from 'fast-check'
import t from 'tap'
import { decideDelivery } from '../../src/dispatch/decide-delivery.ts'
import type { DeliveryDecision, DeliveryFacts } from '../../src/dispatch/decide-delivery.ts'
import type { Outcome } from '../../src/dispatch/outcome.ts'
import { holds } from '../support/holds.ts'

const RESULT = { status: 'EFFECTIVE', code: 'SALE_COMPLETED', occurredAt: '2026-05-04T15:20:00.000Z' } as const

const facts = (overrides: Partial<DeliveryFacts> = {}): DeliveryFacts => ({
  attempts: 0,
  retryDelaysSeconds: [20, 30],
  idempotency: 'key',
  isFateUnknown: false,
  refusals: 0,
  isOnTrial: false,
  random: () => 0.5,
  ...overrides,
})

const said = { code: 'http_503', message: 'busy' }
const RETRY: Outcome = { kind: 'retry', ...said }
const AMBIGUOUS: Outcome = { kind: 'ambiguous', ...said }
const REJECTED: Outcome = { kind: 'rejected', ...said }
const FORBIDDEN: Outcome = {
  kind: 'unauthorized',
  code: 'http_403',
  message: 'no permission',
  exchange: { status: 403 },
}
const THROTTLED: Outcome = { kind: 'throttled', ...said }

const charged = (seconds: number, isFateUnknown = false): DeliveryDecision => ({
  kind: 'retry',
  delayMs: seconds * 1_000,
  isCharged: true,
  isFateUnknown,
})
const uncharged = (seconds: number, isFateUnknown = false): DeliveryDecision => ({
  kind: 'retry',
  delayMs: seconds * 1_000,
  isCharged: false,
  isFateUnknown,
})
const failed = (reasonCode: string): DeliveryDecision => ({ kind: 'failed', reasonCode })
const parked = (reason: string): DeliveryDecision => ({ kind: 'parked', reason })

const DOUBT = { isFateUnknown: true }
const USED_UP = { attempts: 2 }
const LOOKUP = { idempotency: 'lookup' } as const
const NONE = { idempotency: 'none' } as const

/** What happens, to whom, and what follows. */
const TABLE: readonly (readonly [string, Outcome, Partial<DeliveryFacts>, DeliveryDecision])[] = [
  ['an acceptance is a delivery', { kind: 'accepted' }, {}, delivered()],
  ['an acceptance ends every doubt', { kind: 'accepted' }, { ...DOUBT, ...NONE, ...USED_UP }, delivered()],
  [
    'an acceptance hands on what it carries',
    { kind: 'accepted', providerTaskId: 'T-1', result: RESULT },
    {},
    { kind: 'delivered', providerTaskId: 'T-1', result: RESULT },
  ],

  ['a refusal fails it with its code', REJECTED, {}, failed('http_503')],
  ['a refusal by a provider that knows our key fails it, doubt or not', REJECTED, DOUBT, failed('http_503')],
  ['a refusal in doubt is parked where the task is searched', REJECTED, { ...DOUBT, ...LOOKUP }, parked('http_503')],
  ['a refusal in doubt is parked where nothing is known', REJECTED, { ...DOUBT, ...NONE }, parked('http_503')],
  ['a refusal without doubt fails it everywhere', REJECTED, NONE, failed('http_503')],

  ['a fault that surely did nothing is tried again', RETRY, {}, charged(20)],
  ['a second one waits for the second step', RETRY, { attempts: 1 }, charged(30)],
  ['a wish of the provider is met', { ...RETRY, retryAfterMs: 25_000 }, {}, charged(25)],
  ['the last one gives up', RETRY, USED_UP, failed('gave_up')],
  ['the last one in doubt is parked', RETRY, { ...USED_UP, ...DOUBT }, parked('fate_unknown')],
  ['doubt survives a fault that did nothing', RETRY, DOUBT, charged(20, true)],
  ['a provider without keys is tried again too', RETRY, NONE, charged(20)],

  ['an unknown fate is repeated where the key is known', AMBIGUOUS, {}, charged(20, true)],
  ['an unknown fate is searched for', AMBIGUOUS, LOOKUP, charged(20, true)],
  ['an unknown fate is parked where it can be neither', AMBIGUOUS, NONE, parked('http_503')],
  ['the last unknown fate is parked', AMBIGUOUS, USED_UP, parked('fate_unknown')],
  [
    'the last unknown fate is parked where it is searched',
    AMBIGUOUS,
    { ...USED_UP, ...LOOKUP },
    parked('fate_unknown'),
  ],
  [
    'a slow provider has ten seconds before it is searched, however short the steps',
    AMBIGUOUS,
    { ...LOOKUP, retryDelaysSeconds: [1] },
    charged(10, true),
  ],

  ['a wish to slow down costs no try', THROTTLED, { random: () => 0 }, uncharged(5)],
  ['a wish to slow down is met', { ...THROTTLED, retryAfterMs: 12_000 }, { random: () => 0 }, uncharged(12)],
  [
    'a wish is never met beyond the longest step',
    { ...THROTTLED, retryAfterMs: 9e9 },
    { random: () => 0 },
    uncharged(30),
  ],
  ['a wish of no time at all is a second', { ...THROTTLED, retryAfterMs: 0 }, { random: () => 0 }, uncharged(1)],
  ['doubt survives a wish to slow down', THROTTLED, { ...DOUBT, random: () => 0 }, uncharged(5, true)],
  ['a wish to slow down is met after the last try too', THROTTLED, { ...USED_UP, random: () => 0 }, uncharged(5)],

  [
    'wrong credentials pause the connection',
    { kind: 'unauthorized', code: 'http_401', message: 'who are you' },
    { ...DOUBT, ...NONE, ...USED_UP },
    { kind: 'pause_connection', reason: 'who are you', delayMs: 1_000 },
  ],
  ['a 403 pauses the connection', FORBIDDEN, { refusals: 1 }, paused()],
  ['a 403 again, while others were taken, is the dispatch’s own', FORBIDDEN, { refusals: 2 }, failed('http_403')],
  ['in doubt it is parked then', FORBIDDEN, { ...DOUBT, ...LOOKUP, refusals: 2 }, parked('http_403')],
  ['while nothing was taken it stays the connection’s', FORBIDDEN, { refusals: 9, isOnTrial: true }, paused()],
  ['a 401 is always the connection’s', { ...FORBIDDEN, exchange: { status: 401 } }, { refusals: 9 }, paused()],
]

function paused(): DeliveryDecision {
  return { kind: 'pause_connection', reason: 'no permission', delayMs: 1_000 }
}

function delivered(): DeliveryDecision {
  return { kind: 'delivered', providerTaskId: undefined, result: undefined }
}

const anyOutcome = () =>
  fc.oneof(
    fc.constant<Outcome>({ kind: 'accepted' }),
    fc.constantFrom<Outcome>(REJECTED, AMBIGUOUS, FORBIDDEN, { kind: 'unauthorized', ...said }),
    fc
      .record({ kind: fc.constantFrom('retry', 'throttled'), retryAfterMs: fc.option(fc.nat(), { nil: undefined }) })
      .map((outcome): Outcome => ({ ...said, ...outcome })),
  )

const anyFacts = () =>
  fc.record({
    attempts: fc.nat(60),
    retryDelaysSeconds: fc.option(fc.array(fc.nat(604_800), { minLength: 1, maxLength: 50 }), { nil: undefined }),
    idempotency: fc.constantFrom('key', 'lookup', 'none'),
    isFateUnknown: fc.boolean(),
    refusals: fc.nat(5),
    isOnTrial: fc.boolean(),
    random: fc.double({ min: 0, max: 1, noNaN: true }).map((roll) => () => roll),
  })

t.test('decideDelivery', async (t) => {
  for (const [sentence, outcome, overrides, decision] of TABLE) {
    t.test(sentence, async (t) => {
      t.strictSame(decideDelivery(outcome, facts(overrides)), decision)
    })
  }

  t.test('forgets a doubt only by an acceptance, a refusal that settles it, or a pause', async (t) => {
    holds(
      t,
      fc.property(anyOutcome(), anyFacts(), (outcome, given) => {
        const isDoubtful = given.isFateUnknown || outcome.kind === 'ambiguous'
        const decision = decideDelivery(outcome, given)
        if (decision.kind === 'retry') return decision.isFateUnknown === isDoubtful
        if (decision.kind === 'failed')
          return !isDoubtful || ((outcome.kind === 'rejected' || outcome === FORBIDDEN) && given.idempotency === 'key')
        return true
      }),
    )
  })

  t.test('never repeats what may be done where nobody would notice', async (t) => {
    holds(
      t,
      fc.property(
        anyFacts(),
        (given) => decideDelivery(AMBIGUOUS, { ...given, idempotency: 'none' }).kind === 'parked',
      ),
    )
  })

  t.test('gives every delivery up after so many charged tries as the table has steps, and one', async (t) => {
    holds(
      t,
      fc.property(anyFacts(), fc.constantFrom(RETRY, AMBIGUOUS), (given, outcome) => {
        const steps = given.retryDelaysSeconds?.length ?? 12
        const decision = decideDelivery(outcome, { ...given, attempts: steps })
        return decision.kind === 'failed' || decision.kind === 'parked'
      }),
    )
  })

  t.test('always waits a time that the database can add', async (t) => {
    holds(
      t,
      fc.property(anyOutcome(), anyFacts(), (outcome, given) => {
        const decision = decideDelivery(outcome, given)
        if (decision.kind !== 'retry' && decision.kind !== 'pause_connection') return true
        return Number.isFinite(decision.delayMs) && decision.delayMs >= 0 && decision.delayMs <= 9 * 86_400_000
      }),
    )
  })
})
