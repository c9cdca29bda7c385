// An adapter may be anybody's module. One that does not heed its signal would keep its job, its slot and its connection's probe
// for ever: its lease would run out, and since its worker lives, no crash would be counted for it either.
import type { Ambiguous } from '../dispatch/outcome.ts'

// Ours come back within milliseconds. With this a lost claim is still given up before the database lets others have it.
const GRACE_MS = 1_000

/**
 * What `call` comes to; or, a second after `signal` has aborted, that its fate is unknown. The call goes on, and nobody hears
 * of its end. Rejects as `call` does.
 */
export function answerInTime<T>(call: Promise<T>, signal: AbortSignal): Promise<T | Ambiguous> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    const startGrace = (): void => {
      const message = 'the adapter did not come back when it was told to stop'
      timer = setTimeout(() => resolve({ kind: 'ambiguous', code: 'adapter_stuck', message }), GRACE_MS)
    }
    const leave = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', startGrace)
    }
    if (signal.aborted) startGrace()
    else signal.addEventListener('abort', startGrace, { once: true })
    call.then(resolve, reject).finally(leave)
  })
}
