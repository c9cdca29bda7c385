// A finding as one line, and all of them as a sentence.
import type { Finding, Report, Status } from '../../doctor/finding.ts'

const MARKS: Readonly<Record<Status, string>> = Object.freeze({
  ok: 'ok',
  warning: 'WARNING',
  failed: 'FAILED',
  unchecked: 'unchecked',
})
const MARK_WIDTH = 9

/** `FAILED    acme: Reten key: … -> what to do`. */
export function toLine({ status, connection, check, found, advice, assumption }: Finding): string {
  const what = connection === undefined ? check : `${connection}: ${check}`
  const todo = advice === undefined ? '' : ` -> ${advice}`
  const assumed = assumption === undefined ? '' : ` (assumption: ${assumption})`
  return `${MARKS[status].padEnd(MARK_WIDTH)} ${what}: ${found}${todo}${assumed}`
}

/** `14 ok, 1 warning, 1 failed, 2 could not be checked`. */
export function summarize({ counts }: Report): string {
  const { warning, failed, unchecked } = counts
  return `${counts.ok} ok, ${warning} ${warning === 1 ? 'warning' : 'warnings'}, ${failed} failed, ${unchecked} could not be checked`
}
