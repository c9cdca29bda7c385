// What Reten's list says of a result that Reten refused, or that is about to be repeated or to overwrite something: pure, so that
// every pair can be tabled in a test.
//
//  the list shows            in doubt (an earlier try was sent)     not in doubt
//  ours                      reported                               reported
//  another result            conflict                               conflict
//  none, or does not say     unproven                               409: conflict; 400, 404: failed
//  (cannot be read now)      later, in doubt                        409: later; 400, 404: failed
//  (may not be read)         unproven                               409: conflict; 400, 404: failed
//
// A 409 to a result that was sent with `hard_override` can only be Reten's temporal guard, which no override skips: the result
// occurred before what Reten holds was written there. Trying it again cannot help; a person decides.
import type { RetenSide } from '../dispatch/result.ts'
import type { Report } from '../store/load-reports.ts'
import { retryOrGiveUp } from './decide-report.ts'
import type { Question, ReportDecision, ReportFacts } from './decide-report.ts'
import { isOneOf } from './read-back.ts'
import type { ReadBack, ReadBackAnswer } from './read-back.ts'

/** What follows from the list's answer about a refused result. */
export function decideReadBack(question: Question, answer: ReadBackAnswer, facts: ReportFacts): ReportDecision {
  const { status, reason } = question
  const { isFateUnknown } = facts
  const isGuarded = status === 409 && facts.isOverwriting
  const end = (state: 'failed' | 'conflict' | 'unproven', why: string): ReportDecision => {
    const reasonCode = isGuarded && state === 'conflict' ? 'temporal_guard' : `http_${status}`
    const side = answer.kind === 'read' ? { retenSide: answer.side } : {}
    return { kind: 'ended', state, reasonCode, reason: why, ...side }
  }
  if (answer.kind === 'read' && answer.proof === 'proven') return { kind: 'reported', ...reportedBy(answer) }
  if (answer.kind === 'read' && answer.proof === 'different') {
    const why = isGuarded ? GUARDED : `Reten's list shows ${describeSide(answer.side)}`
    return end('conflict', `${reason} (${why})`)
  }
  if (answer.kind === 'unavailable' && (isFateUnknown || status === 409)) {
    return retryOrGiveUp(facts, `${reason}; ${answer.message}`)
  }
  const saw = answer.kind === 'read' ? describeMissing(answer.side) : answer.message
  if (isFateUnknown) return end('unproven', `${reason}; an earlier try may have put it there, and ${saw}`)
  if (status !== 409) return end('failed', reason)
  return end('conflict', isGuarded ? `${reason} (${GUARDED})` : `${reason}; ${saw}`)
}

/** What follows before a result is sent that is to be repeated or to overwrite something; undefined: send it. */
export function decideBeforeSending(
  answer: ReadBackAnswer,
  report: Report,
  facts: ReportFacts,
): ReportDecision | undefined {
  if (answer.kind !== 'read') {
    // Where the key may not read the list, Reten's own guards are all there is.
    return answer.kind === 'refused' ? undefined : retryOrGiveUp(facts, answer.message)
  }
  const { proof, side } = answer
  if (proof === 'proven') return { kind: 'reported', ...reportedBy(answer) }
  if (proof !== 'different' || report.isOverride || isOneOf(side, report.announcedBy)) return undefined
  const reason = `it was to overwrite what announced it, and Reten's list shows ${describeSide(side)}`
  return { kind: 'ended', state: 'conflict', reasonCode: 'other_result', reason, retenSide: side }
}

function reportedBy({ side }: ReadBack) {
  return { retenResultId: undefined, retenSide: side }
}

const GUARDED =
  'it was sent with hard_override: Reten refuses what occurred before the result it holds was written there; report it by hand with a later time, or keep theirs'

function describeSide({ resultStatus, occurredAt, result }: RetenSide): string {
  const what = [resultStatus, result].filter((text) => typeof text === 'string').join(' ')
  return `${what === '' ? 'another result' : what}${typeof occurredAt === 'string' ? ` of ${occurredAt}` : ''}`
}

function describeMissing({ isListed, occurredAt }: RetenSide): string {
  if (!isListed) return "Reten's list does not show the activity"
  return typeof occurredAt === 'string' ? "Reten's list does not tell it from another" : "Reten's list shows no result"
}
