// What a comparison with Reten's list found and left to a person.

/**
 * - `before_reconcile_from`: open at Reten, never seen here, and created before the connection takes anything from the list.
 * - `dispatched_elsewhere`: Reten says that a provider has it, and it was never seen here.
 * - `has_a_result`: open at Reten, never seen here, and somebody reported something of it.
 * - `ended_without_result`: ended at Reten without any result, never seen here: its dispatch may have been given up.
 * - `hidden`: its dispatch failed for good, it was never seen here, and the list for providers does not show it.
 * - `without_creation_time`, `unknown_status`, `unreadable`: the row cannot be understood.
 * - `of_another_connection`: stored under another connection to the same Reten.
 * - `several_connections`: more than one connection would take it.
 * - `cancel_too_late`: cancelled at Reten, and done, or told to be done, here.
 * - `result_absent`, `result_different`: what we reported does not stand at Reten, or another result does.
 * - `result_unproven`: Reten does not show whether it has the result.
 */
export type FindingKind =
  | 'before_reconcile_from'
  | 'dispatched_elsewhere'
  | 'has_a_result'
  | 'ended_without_result'
  | 'hidden'
  | 'without_creation_time'
  | 'unknown_status'
  | 'unreadable'
  | 'of_another_connection'
  | 'several_connections'
  | 'cancel_too_late'
  | 'result_absent'
  | 'result_different'
  | 'result_unproven'

export interface Finding {
  readonly activityId: string
  readonly kind: FindingKind
  /** One sentence beyond the kind, where there is more to say. */
  readonly detail?: string | undefined
}
