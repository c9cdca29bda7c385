// What Reten sends: new, again, changed, and what cannot be read.
import { command, expectStatus, isKnown, isUp, isUpAndKnown, nth } from './command.ts'
import type { Command } from './command.ts'
import type { Answer, History } from './history.ts'

export function dispatch(count: number): Command {
  return command(`dispatch(${count})`, {
    check: isUp,
    change: (outline) => void (outline.activities += count),
    run: async (history) => {
      for (let i = 0; i < count; i += 1) {
        const activity = history.addActivity()
        const answer = await history.send(activity)
        // Where the first sending was answered 503 it may have been stored.
        expectStatus(answer, activity.unavailable === 0 ? [201] : [200, 201], 'a new dispatch')
      }
    },
  })
}

/** Each new one `times` times at once, and everything known once more. */
export function burst(count: number, times: number): Command {
  return command(`burst(${count}, ${times})`, {
    check: isUp,
    change: (outline) => void (outline.activities += count),
    run: async (history) => {
      const answers = await Promise.all(sendBurst(history, count, times))
      for (const answer of answers) expectStatus(answer, [200, 201], 'a dispatch of a burst')
    },
  })
}

export function sendBurst(history: History, count: number, times: number): Promise<Answer | undefined>[] {
  const known = [...history.activities]
  const fresh = Array.from({ length: count }, () => history.addActivity())
  const sendings = [...known, ...Array.from({ length: times }, () => fresh).flat()]
  return sendings.map((activity) => history.send(activity))
}

export function repeat(n: number): Command {
  return command(`repeat(${n})`, {
    check: isUpAndKnown,
    run: async (history) => {
      const activity = nth(history, n)
      const wasReceived = activity.received > 0
      expectStatus(await history.send(activity), wasReceived ? [200] : [200, 201], 'a repeat')
    },
  })
}

export function repeatChanged(n: number, score: number): Command {
  return command(`repeatChanged(${n}, ${score})`, {
    check: isUpAndKnown,
    run: async (history) => {
      const activity = nth(history, n)
      activity.changes += 1
      expectStatus(await history.send(activity, { score }), [200, 201], 'a changed repeat')
    },
  })
}

/** Of an activity that is new, or of one that is known. */
export function unreadable(n: number, isNew: boolean): Command {
  return command(`unreadable(${n}, ${isNew})`, {
    check: (outline) => isUp(outline) && (isNew || isKnown(outline)),
    change: (outline) => void (outline.activities += isNew ? 1 : 0),
    run: async (history) => {
      const activity = isNew ? history.addActivity() : nth(history, n)
      activity.changes += 1
      // Once the mapping is corrected it can be read.
      const answer = await history.send(activity, { commerce: { externalId: n } })
      expectStatus(answer, [200, 201, 202], 'an unreadable dispatch')
    },
  })
}

export const unidentified = command('unidentified', {
  check: isUp,
  run: async (history) => {
    expectStatus(await history.post({ commerce: { externalId: 'C-1001' } }), [400], 'a body without an activity')
  },
})
