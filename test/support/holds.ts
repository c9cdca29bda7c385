import fc from 'fast-check'
import type { Test } from 'tap'

/** Asserts that a property holds for every value drawn; throws with the smallest one it does not hold for. */
export function holds<Drawn>(t: Test, property: fc.IProperty<Drawn>): void {
  fc.assert(property)
  t.pass('held for every value drawn')
}
