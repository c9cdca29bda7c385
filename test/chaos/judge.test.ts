// A judge that finds nothing would let everything pass: each fault it is there for is planted once.
import t from 'tap'
import { judge, longestStallMs, recoverySeconds } from './judge.ts'
import type { Evidence, MadeTask, SentActivity, StoredDispatch } from './judge.ts'

function activity(overrides: Partial<SentActivity> = {}): SentActivity {
  return {
    id: 'A-1',
    status: 'COMPLETED',
    acknowledgedAs: ['D-1'],
    attempts: ['acknowledged'],
    acknowledgedAtMs: 1_100,
    sentAtMs: 1_000,
    registrations: 1,
    resultCode: 'SOLD',
    registeredAtMs: 2_000,
    ...overrides,
  }
}

function task(overrides: Partial<MadeTask> = {}): MadeTask {
  return { externalId: 'D-1', activityId: 'A-1', resultCode: 'SOLD', ...overrides }
}

function dispatch(overrides: Partial<StoredDispatch> = {}): StoredDispatch {
  return { id: 'D-1', activityId: 'A-1', state: 'completed', reasonCode: null, isParked: false, ...overrides }
}

function evidence(overrides: Partial<Evidence> = {}): Evidence {
  return {
    activities: [activity()],
    tasks: [task()],
    stored: [dispatch()],
    jobsLeft: 0,
    unaccounted: 0,
    doubledAtReten: 0,
    doubledAtYom: 0,
    ...overrides,
  }
}

void t.test('judge', async (t) => {
  await t.test('finds nothing where all was done once', async (t) => {
    t.strictSame(judge(evidence()), { dispatched: 1, acknowledged: 1, lost: 0, doubled: 0, parked: 0, broken: [] })
  })

  await t.test('takes a delivery that waits for a person for neither lost nor done', async (t) => {
    const parked = evidence({
      activities: [activity({ status: 'DISPATCHED', registrations: 0, resultCode: undefined })],
      tasks: [],
      stored: [dispatch({ state: 'received', isParked: true })],
    })

    t.strictSame(judge(parked), { dispatched: 1, acknowledged: 1, lost: 0, doubled: 0, parked: 1, broken: [] })
  })

  const faults: readonly (readonly [name: string, planted: Partial<Evidence>, broken: RegExp])[] = [
    ['an acknowledgement without a row', { stored: [] }, /1 acknowledged and not stored: A-1/],
    [
      'an acknowledgement under another id',
      { activities: [activity({ acknowledgedAs: ['D-1', 'D-2'] })] },
      /another id/,
    ],
    [
      'a dispatch that was given up',
      { stored: [dispatch({ state: 'failed', reasonCode: 'gave_up' })] },
      /1 lost: A-1 \(failed, gave_up\)/,
    ],
    ['one that is said to be done and is not at YOM', { tasks: [] }, /1 lost/],
    ['one that is said to be done and is not at Reten', { activities: [activity({ registrations: 0 })] }, /1 lost/],
    [
      'one that was stored, never acknowledged and forgotten',
      { activities: [activity({ acknowledgedAs: [] })], stored: [dispatch({ state: 'delivered' })] },
      /1 lost: A-1 \(delivered\)/,
    ],
    ['two tasks', { tasks: [task(), task()] }, /1 done twice/],
    ['two results', { activities: [activity({ registrations: 2 })] }, /1 done twice/],
    ['a result of somebody else', { activities: [activity({ resultCode: 'NOT_SOLD' })] }, /another result/],
    [
      'an activity that Reten gave up',
      { activities: [activity({ status: 'FAILED' })] },
      /1 FAILED at Reten: A-1 \(acknowledged\)/,
    ],
    ['an activity that still waits', { activities: [activity({ status: 'READY' })] }, /1 that wait at Reten/],
    [
      'a dispatch out of nowhere',
      { stored: [dispatch(), dispatch({ id: 'D-2', activityId: 'A-2' })] },
      /Reten never had: A-2/,
    ],
    ['a task out of nowhere', { tasks: [task(), task({ externalId: 'D-9', activityId: 'A-9' })] }, /no dispatch: D-9/],
    ['a job that is left', { jobsLeft: 1 }, /1 jobs left/],
    ['a row that nothing carries on', { unaccounted: 2 }, /2 rows unaccounted for/],
    ['what only Reten counted twice', { doubledAtReten: 1 }, /1 doubled/],
    ['what only YOM counted twice', { doubledAtYom: 1 }, /1 doubled/],
  ]
  for (const [name, planted, broken] of faults) {
    await t.test(`finds ${name}`, async (t) => {
      t.match(judge(evidence(planted)).broken.join('; '), broken)
    })
  }
})

void t.test('longestStallMs', async (t) => {
  await t.test('is the longest time without an acknowledgement, the ends included', async (t) => {
    const at = (...times: number[]): SentActivity[] => times.map((acknowledgedAtMs) => activity({ acknowledgedAtMs }))

    t.equal(longestStallMs(at(1_100, 1_400, 1_200), 1_000, 1_500), 200)
    t.equal(longestStallMs(at(1_400, 1_450), 1_000, 1_500), 400)
    t.equal(longestStallMs(at(1_100, 1_200), 1_000, 1_900), 700)
    t.equal(longestStallMs([], 1_000, 1_900), 900)
  })
})

void t.test('recoverySeconds', async (t) => {
  await t.test('waits for all that was sent before the end, and for nothing else', async (t) => {
    const before = activity({ sentAtMs: 1_000, registeredAtMs: 4_500 })
    const after = activity({ sentAtMs: 3_001, registeredAtMs: 9_000 })

    t.equal(recoverySeconds([before, after], 3_000), 1.5)
    t.equal(recoverySeconds([before], 5_000), 0)
  })
})
