// Runs checks: each within a deadline of its own, whatever it meets becomes a finding, and no secret stays in what it says.
import { AppError } from '../errors.ts'
import { createExcerpt } from '../http-answer.ts'
import { isDatabaseAway, isMissingTable } from '../store/database-errors.ts'
import { SECOND_MS } from '../time.ts'
import { untilAborted } from '../until-aborted.ts'
import { failed, unchecked } from './finding.ts'
import type { Finding, Verdict } from './finding.ts'

export interface Check {
  readonly name: string
  readonly connection?: string | undefined
  /** Resolves for everything that can be wrong outside; what it throws is told as a fault. */
  run(signal: AbortSignal): Promise<Verdict>
}

/** Two calls to Reten, of 8 s at most each, and something to spare. */
const DEADLINE_MS = 20 * SECOND_MS

/** Runs one check to its verdict, or to its deadline. Never rejects. */
export async function runCheck(check: Check, secrets: readonly string[], deadlineMs = DEADLINE_MS): Promise<Finding> {
  const deadline = new AbortController()
  const timer = setTimeout(() => deadline.abort(), deadlineMs)
  const late = failed(
    `there was no answer within ${deadlineMs / SECOND_MS} s`,
    'look at what stands between this machine and the other side (network, firewall, proxy), and check again',
  )
  try {
    const verdict = await untilAborted(check.run(deadline.signal), deadline.signal, late)
    return conceal(check, deadline.signal.aborted ? late : verdict, secrets)
  } catch (error) {
    return conceal(check, toVerdict(error), secrets)
  } finally {
    clearTimeout(timer)
  }
}

/** Runs checks that do not disturb each other side by side; findings come in the order of the checks. */
export async function runTogether(
  checks: readonly Check[],
  secrets: readonly string[],
  onFinding: (finding: Finding) => void = () => {},
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const running of checks.map((check) => runCheck(check, secrets))) {
    const finding = await running
    onFinding(finding)
    findings.push(finding)
  }
  return findings
}

/** Asks once, however many checks need the answer. */
export function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined
  return () => (asked ??= ask())
}

function toVerdict(error: unknown): Verdict {
  const message = error instanceof Error && error.message !== '' ? error.message : 'a fault without a name'
  if (error instanceof AppError) return failed(message, `read ${error.code} in docs/errors.md`)
  if (isMissingTable(error)) return unchecked(`the database lacks migrations: ${message}`, 'run "npm run migrate"')
  if (isDatabaseAway(error)) return unchecked(`the database went away: ${message}`, 'check again when it is back')
  return failed(message, 'this is nothing a setting explains: report it with this line')
}

/** Whoever words a finding keeps secrets out of it; this is for the words of others, which may repeat what they were sent. */
function conceal({ name, connection }: Check, verdict: Verdict, secrets: readonly string[]): Finding {
  const excerpt = createExcerpt(secrets)
  const shown = (text: string | undefined): string | undefined =>
    text === undefined ? undefined : excerpt(text).replaceAll(/\s+/g, ' ').trim()
  return {
    check: name,
    connection,
    status: verdict.status,
    found: shown(verdict.found) ?? '',
    advice: shown(verdict.advice),
    assumption: shown(verdict.assumption),
  }
}
