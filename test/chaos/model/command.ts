// What a command of a history is.
import type fc from 'fast-check'
import { Violation } from './history.ts'
import type { Answer, History, SentActivity } from './history.ts'

/** What a command is chosen by: as much as is known without asking anybody. */
export interface Outline {
  isUp: boolean
  isMappingFixed: boolean
  activities: number
  /** The commands that were not skipped. */
  readonly ran: string[]
}

export type Command = fc.AsyncCommand<Outline, History>

interface Script {
  readonly check?: (outline: Outline) => boolean
  /** What the outline becomes. */
  readonly change?: (outline: Outline) => void
  readonly run: (history: History) => Promise<unknown>
}

export function command(name: string, script: Script): Command {
  return {
    check: (outline) => script.check?.(outline) ?? true,
    run: async (outline, history) => {
      script.change?.(outline)
      outline.ran.push(name)
      await script.run(history)
    },
    toString: () => name,
  }
}

export const isUp = (outline: Outline): boolean => outline.isUp

export const isKnown = (outline: Outline): boolean => outline.activities > 0

export const isUpAndKnown = (outline: Outline): boolean => isUp(outline) && isKnown(outline)

/** The n-th activity, counted around. */
export function nth({ activities }: History, n: number): SentActivity {
  const found = activities[n % activities.length]
  if (found === undefined) throw new Error('there is no activity yet: the command should have been skipped')
  return found
}

/** An answer that must be there, since nobody stops the service meanwhile. */
export function expectStatus(answer: Answer | undefined, statuses: readonly number[], what: string): void {
  if (answer !== undefined && statuses.includes(answer.status)) return
  throw new Violation(`${what} was answered ${answer?.status ?? 'not at all'} ${JSON.stringify(answer?.body)}`)
}
