// Where an activity stands, from a row of Reten's list of tasks. Reten's documentation has two vocabularies and does not say how
// one maps to the other: both are read, in either spelling, and a word of neither is `unknown`.
import type { RetenTaskRow } from '../schema-types.ts'

/**
 * - `waiting`: not dispatched, or not yet (PENDING, READY).
 * - `unresolved`: Reten itself does not know yet what is to be dispatched.
 * - `dispatched`: a provider has it (IN_PROGRESS, DISPATCHED).
 * - `failed`: Reten gave up dispatching it.
 * - `completed`, `canceled`: its ends.
 */
export type TaskStage = 'waiting' | 'unresolved' | 'dispatched' | 'failed' | 'completed' | 'canceled' | 'unknown'

const STAGES: Readonly<Record<string, TaskStage>> = Object.freeze({
  PENDING: 'waiting',
  READY: 'waiting',
  UNRESOLVED: 'unresolved',
  IN_PROGRESS: 'dispatched',
  DISPATCHED: 'dispatched',
  FAILED: 'failed',
  COMPLETED: 'completed',
  CANCELED: 'canceled',
  CANCELLED: 'canceled',
})

/**
 * Reads the stage. Two assumptions: a `lifecycleStatus` of UNRESOLVED says more than PENDING does, and an activity whose dispatch
 * Reten's panel offers to force (`canForceRetryDispatch`) is one that it gave up dispatching, as long as it is shown as open.
 */
export function readTaskStage(row: RetenTaskRow): TaskStage {
  const stage = STAGES[wordOf(row.status)] ?? 'unknown'
  if (stage === 'waiting' && wordOf(row.lifecycleStatus) === 'UNRESOLVED') return 'unresolved'
  const isOpen = stage === 'waiting' || stage === 'dispatched'
  return isOpen && row.canForceRetryDispatch === true ? 'failed' : stage
}

function wordOf(text: string | null | undefined): string {
  return text?.trim().toUpperCase() ?? ''
}
