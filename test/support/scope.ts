import type { Test } from 'tap'

/** What opens something for a while: a test, or a program's own scope. */
export type Scope = Pick<Test, 'teardown'>

/** A scope for programs that are no tests. */
export interface ProgramScope extends Scope {
  /** Undoes what was opened, the latest first; every one of them, whatever the others throw. */
  end(): Promise<void>
}

/** An empty scope. */
export function createScope(): ProgramScope {
  const undoings: (() => unknown)[] = []
  return {
    teardown: (undo) => void undoings.push(undo),
    end: async () => {
      const faults: unknown[] = []
      for (const undo of undoings.splice(0).toReversed()) {
        try {
          await undo()
        } catch (error) {
          faults.push(error)
        }
      }
      if (faults.length > 0) throw new AggregateError(faults, 'not all of it could be undone')
    },
  }
}
