import t from 'tap'
import { createSandboxClock } from '../../src/sandbox/clock.ts'

const START = Date.UTC(2026, 4, 4, 12)

t.test('createSandboxClock', async (t) => {
  t.test('stands still at speed 0 until it is advanced', async (t) => {
    const clock = createSandboxClock({ speed: 0, startAtMs: START })

    clock.advance(1500)

    t.equal(clock.nowIso(), '2026-05-04T12:00:01.500Z')
  })

  t.test('runs what became due in order, timers set by timers included', async (t) => {
    const clock = createSandboxClock({ speed: 0, startAtMs: START })
    const ran: string[] = []
    clock.after(200, () => ran.push(`second at ${clock.nowMs() - START}`))
    clock.after(100, () => {
      ran.push(`first at ${clock.nowMs() - START}`)
      clock.after(50, () => ran.push(`between at ${clock.nowMs() - START}`))
    })
    clock.after(500, () => ran.push('too late'))

    clock.advance(300)

    t.strictSame(ran, ['first at 100', 'between at 150', 'second at 200'])
  })

  t.test('never runs a cancelled timer', async (t) => {
    const clock = createSandboxClock({ speed: 0 })
    const cancel = clock.after(10, () => t.fail('it ran'))

    cancel()
    clock.advance(20)

    t.pass()
  })

  t.test('runs timers early in real time when it runs fast', async (t) => {
    const clock = createSandboxClock({ speed: 10_000, startAtMs: START })
    const realStartMs = performance.now()

    await new Promise<void>((resolve) => clock.after(60_000, resolve))

    t.ok(clock.nowMs() - START >= 60_000, 'a minute of sandbox time has passed')
    t.ok(performance.now() - realStartMs < 5000, 'in much less real time')
  })

  t.test('arms a running timer anew when it is advanced', async (t) => {
    const clock = createSandboxClock({ speed: 1, startAtMs: START })
    const rings = new Promise<void>((resolve) => clock.after(3_600_000, resolve))

    clock.advance(3_600_000)

    await t.resolves(rings)
  })
})
