import fc from 'fast-check'
import t from 'tap'
import { decideReport } from '../../src/report/decide-report.ts'
import type { Question, ReportDecision, ReportFacts } from '../../src/report/decide-report.ts'
import type { RetenAnswer } from '../../src/reten/reten-answer.ts'
import type { ResultAccepted } from '../../src/schema-types.ts'
import { holds } from '../support/holds.ts'

type Answer = RetenAnswer<ResultAccepted>

const ok: Answer = { kind: 'ok', status: 201, value: { id: 'R-1' }, exchange: {} }
const refused = (status: number): Answer => ({ kind: 'refused', status, message: 'no', error: '', exchange: {} })
const unavailable = (overrides: Partial<Extract<Answer, { kind: 'unavailable' }>> = {}): Answer => ({
  kind: 'unavailable',
  code: 'http_500',
  message: 'Reten answered 500',
  isSent: true,
  exchange: {},
  ...overrides,
})

const facts = (overrides: Partial<ReportFacts> = {}): ReportFacts => ({
  attempts: 0,
  isFateUnknown: false,
  isOverwriting: false,
  retryDelaysSeconds: [20, 30],
  random: () => 0.5,
  ...overrides,
})

const DOUBT = { isFateUnknown: true }
const USED_UP = { attempts: 2 }

const later = (seconds: number, isCharged: boolean, isFateUnknown: boolean): ReportDecision => ({
  kind: 'retry',
  delayMs: seconds * 1_000,
  isCharged,
  isFateUnknown,
})
const paused = (isFateUnknown: boolean): ReportDecision => ({
  kind: 'pause_reporting',
  reason: 'no',
  delayMs: 1_000,
  isFateUnknown,
})
const ended = (state: 'failed' | 'conflict' | 'unproven', reasonCode: string, reason = 'no'): ReportDecision => ({
  kind: 'ended',
  state,
  reasonCode,
  reason,
})

const question = (status: number): Question => ({ kind: 'read_back', status, reason: 'no' })
const OVERWRITING = { isOverwriting: true }

const TABLE: readonly (readonly [string, Answer, Partial<ReportFacts>, ReportDecision | Question])[] = [
  ['201 reports it', ok, {}, { kind: 'reported', retenResultId: 'R-1' }],
  ['201 ends a doubt', ok, { ...DOUBT, ...USED_UP }, { kind: 'reported', retenResultId: 'R-1' }],

  ['400 ends it with Reten’s words', refused(400), {}, ended('failed', 'http_400')],
  ['404 ends it with Reten’s words', refused(404), {}, ended('failed', 'http_404')],
  ['400 in doubt does not say that Reten has it not', refused(400), DOUBT, question(400)],
  ['404 in doubt does not say that Reten has it not', refused(404), DOUBT, question(404)],
  ['400 to an override may be the temporal guard', refused(400), OVERWRITING, question(400)],
  [
    'a wrong address is the connection’s fault and nobody’s try',
    unavailable({ code: 'address_wrong', isSent: false, message: 'no' }),
    USED_UP,
    paused(false),
  ],
  ['the page after the work leaves a doubt', unavailable({ code: 'address_wrong', message: 'no' }), {}, paused(true)],

  ['401 pauses reporting and is nobody’s fault', refused(401), {}, paused(false)],
  ['403 pauses reporting, however often', refused(403), USED_UP, paused(false)],
  ['401 does not end a doubt', refused(401), DOUBT, paused(true)],
  [
    '401 is a refused key, whoever’s page it is',
    unavailable({ code: 'answer_unreadable', status: 401, message: 'no' }),
    USED_UP,
    paused(false),
  ],

  ['409 out of the blue is looked at', refused(409), {}, question(409)],
  ['409 after a lost answer is looked at', refused(409), DOUBT, question(409)],

  ['500 is tried again in doubt', unavailable(), {}, later(20, true, true)],
  ['a lost answer is tried again in doubt', unavailable({ code: 'timeout' }), { attempts: 1 }, later(30, true, true)],
  [
    'a refused connection is tried again without doubt',
    unavailable({ code: 'connection_refused', isSent: false }),
    {},
    later(20, true, false),
  ],
  [
    'a refused connection does not end a doubt',
    unavailable({ code: 'connection_refused', isSent: false }),
    DOUBT,
    later(20, true, true),
  ],
  ['a wish of Reten’s is met', unavailable({ retryAfterMs: 25_000 }), {}, later(25, true, true)],
  ['given up in doubt, it is unproven', unavailable(), USED_UP, ended('unproven', 'gave_up', 'Reten answered 500')],
  [
    'given up without doubt, it failed',
    unavailable({ isSent: false, message: 'no way there' }),
    USED_UP,
    ended('failed', 'gave_up', 'no way there'),
  ],

  ['429 costs no try', unavailable({ code: 'http_429', isSent: false }), { random: () => 0 }, later(5, false, false)],
  [
    '429 with a time is met',
    unavailable({ code: 'http_429', isSent: false, retryAfterMs: 12_000 }),
    { random: () => 0 },
    later(12, false, false),
  ],
  [
    '429 after the last try waits all the same',
    unavailable({ code: 'http_429', isSent: false }),
    { ...USED_UP, ...DOUBT, random: () => 0 },
    later(5, false, true),
  ],
]

t.test('decideReport', async (t) => {
  for (const [sentence, answer, overrides, decision] of TABLE) {
    t.test(sentence, async (t) => {
      t.strictSame(decideReport(answer, facts(overrides)), decision)
    })
  }

  t.test('never calls failed what Reten may have', async (t) => {
    const answers = fc.oneof(
      fc.constantFrom(400, 401, 403, 404, 409, 422, 302).map(refused),
      fc.boolean().map((isSent) => unavailable({ isSent })),
    )
    const given = fc.record({ attempts: fc.nat(60), isFateUnknown: fc.boolean() })
    holds(
      t,
      fc.property(answers, given, (answer, overrides) => {
        const decision = decideReport(answer, facts(overrides))
        const mayHaveIt = overrides.isFateUnknown || (answer.kind === 'unavailable' && answer.isSent)
        if (decision.kind === 'retry') return decision.isFateUnknown === mayHaveIt
        return !(decision.kind === 'ended' && decision.state === 'failed' && mayHaveIt)
      }),
    )
  })
})
