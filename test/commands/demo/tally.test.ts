import t from 'tap'
import type { SeenDispatch } from '../../../src/commands/demo/service-view.ts'
import { isWell, tally } from '../../../src/commands/demo/tally.ts'
import type { SentActivity, TallyInput } from '../../../src/commands/demo/tally.ts'

const sent = (id: string, overrides: Partial<SentActivity> = {}): SentActivity => ({
  id,
  isSent: true,
  isAcknowledged: true,
  isRegistered: true,
  ...overrides,
})
const seen = (activityId: string, overrides: Partial<SeenDispatch> = {}): SeenDispatch => ({
  id: `d-${activityId}`,
  activityId,
  state: 'completed',
  isDelivered: true,
  isParked: false,
  ...overrides,
})
const count = (overrides: Partial<TallyInput> = {}) =>
  tally({
    sent: [sent('A-1'), sent('A-2')],
    seen: [seen('A-1'), seen('A-2')],
    repeatedAcknowledgements: 0,
    doubled: 0,
    hasTask: () => true,
    seconds: 1.234,
    ...overrides,
  })

t.test('tally', async (t) => {
  t.test('counts what stands at both ends', async (t) => {
    const counts = count()

    t.match(counts, { dispatched: 2, acknowledged: 2, stored: 2, delivered: 2, reported: 2, registered: 2 })
    t.match(counts, { lost: 0, parked: 0, doubled: 0, duplicates: 0, seconds: 1.2 })
    t.ok(isWell(counts, 2))
  })

  const LOST: Readonly<Record<string, Partial<TallyInput>>> = {
    'was never stored': { seen: [seen('A-1')] },
    'has no task': { hasTask: (id) => id === 'A-1' },
    'is not registered': { sent: [sent('A-1'), sent('A-2', { isRegistered: false })] },
    'is not completed': { seen: [seen('A-1'), seen('A-2', { state: 'delivered' })] },
    failed: { seen: [seen('A-1'), seen('A-2', { state: 'failed' })] },
    'was acknowledged and is gone': { seen: [seen('A-1'), seen('A-3')] },
  }
  for (const [sentence, overrides] of Object.entries(LOST)) {
    t.test(`calls lost what ${sentence}`, async (t) => {
      const counts = count(overrides)

      t.equal(counts.lost, 1)
      t.notOk(isWell(counts, 2))
    })
  }

  t.test('calls nothing lost that stands in front of a person', async (t) => {
    const counts = count({
      sent: [sent('A-1'), sent('A-2', { isRegistered: false })],
      seen: [seen('A-1'), seen('A-2', { state: 'received', isParked: true })],
    })

    t.match(counts, { lost: 0, parked: 1 })
    t.ok(isWell(counts, 2))
  })

  t.test('is not well with anything doubled, or fewer dispatched than asked for', async (t) => {
    t.notOk(isWell(count({ doubled: 1 }), 2))
    t.notOk(isWell(count({ sent: [sent('A-1'), sent('A-2', { isSent: false })] }), 2))
    t.notOk(isWell(count(), 3))
  })
})
