import { setTimeout as waitReal } from 'node:timers/promises'

/** Waits until the next push may begin. */
export type Pace = () => Promise<void>

/** Spaces calls evenly to `perSecond`, in real time, since a rate is what the receiver has to bear; 0 is no limit. */
export const createPace = (perSecond: number): Pace => {
  if (perSecond <= 0) return async () => {}
  let nextAtMs = performance.now()
  return async () => {
    const atMs = Math.max(nextAtMs, performance.now())
    nextAtMs = atMs + 1000 / perSecond
    const waitMs = atMs - performance.now()
    if (waitMs > 1) await waitReal(waitMs)
  }
}
