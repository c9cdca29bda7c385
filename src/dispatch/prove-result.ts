// Whether what Reten shows of an activity is the result we reported, decided from its list alone. That the list gives a result's
// time back as it was sent is an assumption: the documentation says only that `occurredAt` is null before a result.
import type { ResultContent } from './result.ts'

/** What a row of Reten's list shows of a result; undefined where it does not have the field, null where the field is empty. */
export interface ListedResult {
  readonly occurredAt?: string | null | undefined
  /** EFFECTIVE, NOT_EFFECTIVE or PENDING; or what the list was filtered by. */
  readonly resultStatus?: string | null | undefined
}

/**
 * - `proven`: the same instant and the same status.
 * - `same_time`: the same instant, and the row says nothing of the status.
 * - `different`: Reten holds another result.
 * - `absent`: Reten holds none.
 * - `unknown`: the row does not say.
 */
export type ResultProof = 'proven' | 'same_time' | 'different' | 'absent' | 'unknown'

/** Compares a listed result with one of ours. Instants are compared by the millisecond, whatever their spelling. */
export function proveResult(listed: ListedResult, ours: Pick<ResultContent, 'occurredAt' | 'status'>): ResultProof {
  const { occurredAt } = listed
  const status = listed.resultStatus?.trim().toUpperCase() ?? ''
  if (occurredAt === null) return status === '' ? 'absent' : 'unknown'
  const atMs = Date.parse(occurredAt ?? '')
  if (Number.isNaN(atMs)) return 'unknown'
  if (atMs !== Date.parse(ours.occurredAt)) return 'different'
  if (status === '') return 'same_time'
  return status === ours.status ? 'proven' : 'different'
}
