import t, { type Test } from 'tap'
import { createSandboxClock } from '../../src/sandbox/clock.ts'
import type { FaultProfile } from '../../src/sandbox/fault-profiles.ts'
import { startRetenSandbox, type RetenSandbox } from '../../src/sandbox/start-reten-sandbox.ts'
import { startYomSandbox, type YomSandbox } from '../../src/sandbox/start-yom-sandbox.ts'
import { startRelay } from './relay.ts'

const ACTIVITIES = 80

const runTogether = async (
  t: Test,
  profile: FaultProfile,
  seed: number,
  completion: 'webhook' | 'none' = 'webhook',
): Promise<{ reten: RetenSandbox; yom: YomSandbox }> => {
  const clock = createSandboxClock({ speed: 100 })
  const common = { port: 0, clock, seed, faults: { profile }, slowMs: 20 }
  const reten = await startRetenSandbox(common)
  t.teardown(() => reten.close())
  const yom = await startYomSandbox({ ...common, switches: { completion } })
  t.teardown(() => yom.close())
  const settled = await startRelay(t, reten, yom)

  reten.createActivities(ACTIVITIES)
  await reten.dispatchAll()
  await settled()
  await yom.drained()
  await settled()
  return { reten, yom }
}

t.test('Reten’s stand-in and YOM’s together', async (t) => {
  t.test('take every activity from dispatch to one task and one result', async (t) => {
    const { reten, yom } = await runTogether(t, 'none', 1)

    t.match(reten.counts(), { byStatus: { COMPLETED: ACTIVITIES }, registered: ACTIVITIES, doubled: 0, conflicts: 0 })
    t.match(yom.counts(), { tasks: ACTIVITIES, doubled: 0, repeats: 0, eventsDelivered: ACTIVITIES })
  })

  t.test('let a careful receiver come through a storm with nothing lost and nothing doubled', async (t) => {
    const { reten, yom } = await runTogether(t, 'storm', 1)

    t.match(reten.counts(), { registered: ACTIVITIES, registrations: ACTIVITIES, doubled: 0, differingProviderIds: 0 })
    t.match(yom.counts(), { tasks: ACTIVITIES, doubled: 0 })
    t.ok(reten.counts().pushes > ACTIVITIES, 'dispatches were repeated')
    t.ok(reten.counts().conflicts > 0, 'results were repeated')
    t.ok(yom.counts().repeats > 0, 'tasks were repeated')
  })

  t.test('meet the same storm again with the same seed', async (t) => {
    // Without completions, because a result that overtakes a repeated dispatch ends the repeating.
    const first = await runTogether(t, 'storm', 2, 'none')
    const second = await runTogether(t, 'storm', 2, 'none')

    t.strictSame(
      second.reten.activities().map(({ id, pushes }) => [id, pushes.map(({ outcome }) => outcome)]),
      first.reten.activities().map(({ id, pushes }) => [id, pushes.map(({ outcome }) => outcome)]),
    )
    t.strictSame(second.yom.faults.counts(), first.yom.faults.counts())
    t.strictSame(second.reten.faults.counts(), first.reten.faults.counts())
  })

  t.test('run several at once in one process', async (t) => {
    const [one, other] = await Promise.all([runTogether(t, 'none', 1), runTogether(t, 'some', 2)])

    t.not(one.reten.url, other.reten.url)
    t.match([one.reten.counts().registered, other.reten.counts().registered], [ACTIVITIES, ACTIVITIES])
  })
})
