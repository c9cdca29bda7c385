// How the process of the service ends, and comes back.
import { command, isUp } from './command.ts'
import type { Command } from './command.ts'
import type { History } from './history.ts'
import { sendBurst } from './sender-commands.ts'

export const start = command('start', {
  check: (outline) => !outline.isUp,
  change: (outline) => void (outline.isUp = true),
  run: restart,
})

async function restart(history: History): Promise<void> {
  await history.world.start()
  history.connectProvider()
}

/** How a process ends; it comes back at once, or with the command `start`. */
export interface Stop {
  readonly signal: 'SIGKILL' | 'SIGTERM'
  readonly staysDown: boolean
}

async function stopService(history: History, { signal }: Stop): Promise<void> {
  if (signal === 'SIGKILL') history.excuses.kills += 1
  await history.world.end(signal)
}

export function end(stop: Stop): Command {
  return command(`${stop.signal}(${stop.staysDown})`, {
    check: isUp,
    change: (outline) => void (outline.isUp = !stop.staysDown),
    run: async (history) => {
      await stopService(history, stop)
      if (!stop.staysDown) await restart(history)
    },
  })
}

/** Ends it as soon as the n-th of a burst is answered. */
export function endAmid(stop: Stop, count: number, n: number): Command {
  return command(`${stop.signal} amid(${stop.staysDown}, ${count}, ${n})`, {
    check: isUp,
    change: (outline) => {
      outline.isUp = !stop.staysDown
      outline.activities += count
    },
    run: async (history) => {
      const sendings = sendBurst(history, count, 1)
      const isTime = Promise.withResolvers<void>()
      let answered = 0
      for (const sending of sendings) {
        void sending.then(() => (answered += 1) > n && isTime.resolve()).catch(() => isTime.resolve())
      }
      void Promise.allSettled(sendings).then(() => isTime.resolve())
      await isTime.promise
      await Promise.all([stopService(history, stop), ...sendings])
      if (!stop.staysDown) await restart(history)
    },
  })
}
