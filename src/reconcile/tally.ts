import type { Finding, FindingKind } from '../dispatch/finding.ts'

/** What one comparison found so far. */
export interface Tally {
  pages: number
  seen: number
  missing: number
  waiting: number
  canceled: number
  proven: number
  reportedAgain: number
  /** All of them; `findings` holds the first ones. */
  differences: number
  readonly findings: Finding[]
  readonly note: (activityId: string, kind: FindingKind, detail?: string) => void
}

// A page of a console. Whoever has more has one cause for all of them.
const MOST_FINDINGS = 200

/** An empty one. */
export function createTally(): Tally {
  const findings: Finding[] = []
  const tally: Tally = {
    pages: 0,
    seen: 0,
    missing: 0,
    waiting: 0,
    canceled: 0,
    proven: 0,
    reportedAgain: 0,
    differences: 0,
    findings,
    note: (activityId, kind, detail) => {
      tally.differences += 1
      if (findings.length >= MOST_FINDINGS) return
      findings.push({ activityId, kind, ...(detail === undefined ? {} : { detail }) })
    },
  }
  return tally
}
