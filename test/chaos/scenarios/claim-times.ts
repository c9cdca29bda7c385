// How long claims take, by the server's own word: from the statements that it logs with their times.
import type { ChaosDatabase } from '../database.ts'

/** One claim's statement: when it had ended, and how long planning or running it took. */
export interface ClaimTime {
  readonly atMs: number
  readonly durationMs: number
}

// "1789.123 LOG:  duration: 0.321 ms  execute <unnamed>: …": planning is part of "bind".
const ENTRY = /^(\d+\.\d+) LOG: {2}duration: (\d+\.\d+) ms {2}(?:bind|execute) \S+: /
const IS_ENTRY = /^\d+\.\d+ [A-Z]+: /
// The one statement that counts a claim up.
const IS_CLAIM = /claim_no = claim_no \+ 1/

/** Watches the log from now on. */
export function watchClaims(database: ChaosDatabase): { readonly stop: () => readonly ClaimTime[] } {
  const claims: ClaimTime[] = []
  let rest = ''
  let entry: ClaimTime | undefined
  const readLine = (line: string): void => {
    const match = ENTRY.exec(line)
    if (match !== null) entry = { atMs: Number(match[1]) * 1_000, durationMs: Number(match[2]) }
    else if (IS_ENTRY.test(line)) entry = undefined
    // A statement is logged as it is written, over several lines.
    if (entry === undefined || !IS_CLAIM.test(line)) return
    claims.push(entry)
    entry = undefined
  }
  const unwatch = database.watchLog((text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    lines.forEach(readLine)
  })
  return {
    stop: () => {
      unwatch()
      return claims
    },
  }
}
