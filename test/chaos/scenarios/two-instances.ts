import type { Disturbance, Scenario } from '../scenario.ts'

/** Two instances that do everything; `disturb` breaks what they stand on. */
export function twoInstances(disturb: Disturbance): Scenario['setUp'] {
  return async (arena) => {
    await Promise.all([arena.start('a'), arena.start('b')])
    return disturb
  }
}
