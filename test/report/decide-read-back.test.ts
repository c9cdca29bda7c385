import t from 'tap'
import { decideReadBack } from '../../src/report/decide-read-back.ts'
import type { ReadBackAnswer } from '../../src/report/read-back.ts'

const SIDE = { readAt: '2026-05-04T16:00:00.000Z', isListed: true, resultStatus: 'PENDING', occurredAt: null }
const read = (proof: Extract<ReadBackAnswer, { kind: 'read' }>['proof']): ReadBackAnswer => ({
  kind: 'read',
  proof,
  side: SIDE,
})
const ANSWERS: Readonly<Record<string, ReadBackAnswer>> = {
  proven: read('proven'),
  different: read('different'),
  absent: read('absent'),
  unknown: read('unknown'),
  unavailable: { kind: 'unavailable', message: 'no answer' },
  refused: { kind: 'refused', message: 'no permission' },
}

/** What becomes of a refused result: rows are what Reten's list says, columns what was known before. */
const TABLE: Readonly<Record<string, readonly string[]>> = {
  //           409, doubt            409                  400, doubt            400 to an override
  proven: ['reported', 'reported', 'reported', 'reported'],
  different: ['conflict http_409', 'conflict http_409', 'conflict http_400', 'conflict http_400'],
  absent: ['unproven http_409', 'conflict http_409', 'unproven http_400', 'failed http_400'],
  unknown: ['unproven http_409', 'conflict http_409', 'unproven http_400', 'failed http_400'],
  unavailable: ['retry in doubt', 'retry', 'retry in doubt', 'failed http_400'],
  refused: ['unproven http_409', 'conflict http_409', 'unproven http_400', 'failed http_400'],
}
const COLUMNS = [
  { status: 409, isFateUnknown: true, isOverwriting: false },
  { status: 409, isFateUnknown: false, isOverwriting: false },
  { status: 400, isFateUnknown: true, isOverwriting: false },
  { status: 400, isFateUnknown: false, isOverwriting: true },
] as const

function decide(
  answer: ReadBackAnswer,
  { status, ...known }: { status: number; isFateUnknown: boolean; isOverwriting: boolean },
) {
  const facts = { attempts: 0, retryDelaysSeconds: [20], random: () => 0.5, ...known }
  return decideReadBack({ kind: 'read_back', status, reason: 'no' }, answer, facts)
}

t.test('decideReadBack', async (t) => {
  for (const [shown, answer] of Object.entries(ANSWERS)) {
    t.test(`follows the table where the list is ${shown}`, async (t) => {
      const ends = COLUMNS.map((column) => {
        const decision = decide(answer, column)
        if (decision.kind === 'ended') return `${decision.state} ${decision.reasonCode}`
        return decision.kind === 'retry' && decision.isFateUnknown ? 'retry in doubt' : decision.kind
      })
      t.strictSame(ends, TABLE[shown])
    })
  }

  t.test('calls the temporal guard by its name, whatever the list shows', async (t) => {
    for (const shown of ['different', 'unknown', 'refused'] as const) {
      const answer = ANSWERS[shown] ?? read('unknown')
      const decision = decide(answer, { status: 409, isFateUnknown: false, isOverwriting: true })
      t.match(decision, { state: 'conflict', reasonCode: 'temporal_guard', reason: /with a later time/ })
    }
  })

  t.test('shows their side wherever it was read', async (t) => {
    const [column] = COLUMNS
    for (const shown of ['proven', 'different', 'absent', 'unknown']) {
      t.match(decide(ANSWERS[shown] ?? read('unknown'), column), { retenSide: SIDE })
    }
  })
})
