// What becomes of an activity that stands in Reten's list and was never seen here: pure, so that every case can be tabled.
//
//  the row says                                  and                                    so
//  another channel than ours                                                            ignored
//  waiting, or its dispatch given up             created within the grace               waits: its push may be on its way
//                                                created before reconcile_from          shown
//                                                somebody reported something of it      shown
//                                                otherwise                              taken
//  dispatched                                    under the id that we would answer      taken: we acknowledged it and lost it
//                                                otherwise                              shown: another provider may have it
//  completed                                     without a result, since reconcile_from shown
//                                                otherwise                              ignored: somebody did it
//  canceled                                      Reten offers to force its dispatch     shown, as for completed
//                                                otherwise                              ignored
//  unresolved                                                                           ignored: Reten cannot dispatch it yet
//  a word we do not know                                                                shown
import type { FindingKind } from '../dispatch/finding.ts'
import { readTaskStage } from '../reten/task-stage.ts'
import type { RetenTaskRow } from '../schema-types.ts'
import { toUtc } from '../time.ts'

export type UnseenJudgement =
  { readonly kind: 'taken' | 'waits' | 'ignored' } | { readonly kind: 'shown'; readonly finding: FindingKind }

export interface UnseenRules {
  /** Undefined: all. */
  readonly channels: readonly string[] | undefined
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** Nothing created before this is taken; milliseconds since 1970. */
  readonly fromMs: number
  /** For how long after its creation the push of one may be on its way; 0 where Reten pushes nothing. */
  readonly graceMs: number
  /** The id we would answer its push with. */
  readonly dispatchId: string
}

const TAKEN = Object.freeze({ kind: 'taken' })
const WAITS = Object.freeze({ kind: 'waits' })
const IGNORED = Object.freeze({ kind: 'ignored' })

/** Judges one row by the table above. */
export function judgeUnseen(row: RetenTaskRow, rules: UnseenRules): UnseenJudgement {
  if (!isForUs(row, rules.channels)) return IGNORED
  const createdMs = Date.parse(toUtc(row.createdAt ?? '') ?? '')
  const isSince = createdMs >= rules.fromMs
  const stage = readTaskStage(row)
  switch (stage) {
    case 'completed':
      return isSince && !hasResult(row) ? shown('ended_without_result') : IGNORED
    case 'canceled':
      return isSince && row.canForceRetryDispatch === true && !hasResult(row) ? shown('ended_without_result') : IGNORED
    case 'unresolved':
      return IGNORED
    case 'unknown':
      return shown('unknown_status')
    case 'waiting':
    case 'dispatched':
    case 'failed':
      break
    default:
      return stage satisfies never
  }
  if (Number.isNaN(createdMs)) return shown('without_creation_time')
  if (!isSince) return shown('before_reconcile_from')
  if (hasResult(row)) return shown('has_a_result')
  if (stage === 'dispatched' && row.providerActivityId !== rules.dispatchId) return shown('dispatched_elsewhere')
  return rules.nowMs - createdMs < rules.graceMs ? WAITS : TAKEN
}

/** A row that names no channel is taken for ours, as a push is. */
export function isForUs({ channel }: RetenTaskRow, channels: readonly string[] | undefined): boolean {
  return channels === undefined || channel === undefined || channel === null || channels.includes(channel)
}

function hasResult({ occurredAt, resultStatus }: RetenTaskRow): boolean {
  return (occurredAt ?? '') !== '' || (resultStatus ?? '') !== ''
}

function shown(finding: FindingKind): UnseenJudgement {
  return { kind: 'shown', finding }
}
