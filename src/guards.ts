// What stands between a worker and one destination: the breaker of this process, and the time the destination asked for. Both say
// how much may be begun; neither takes a job and gives it back.
import type { Breakers, Destination } from './breakers.ts'
import type { HoldOffs } from './hold-offs.ts'

export interface Guards<T> {
  readonly breakers: Breakers<T>
  readonly holdOffs: HoldOffs
}

/** How many tries at `destination` may begin here now, at most `most`. */
export function roomFor(guards: Guards<never>, destination: Destination, most: number): number {
  if (guards.holdOffs.remainingMs(destination.name) > 0) return 0
  return guards.breakers.slots(destination, most)
}

/** Milliseconds until there may be room where there is none now; Infinity where nothing waits. */
export function nextRoomMs({ breakers, holdOffs }: Guards<never>): number {
  return Math.min(breakers.nextProbeMs(), holdOffs.nextEndMs())
}
