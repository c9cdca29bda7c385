// What the statements about refused keys have in common: a connection has two keys that can be refused, the provider's and
// Reten's, and either stops its own half of the work.
import { sql } from 'kysely'

/** Which half of a connection's work a refused key stops. */
export type KeySide = 'deliveries' | 'reporting'

const PROVIDER = {
  state: sql.ref('state'),
  reason: sql.ref('state_reason'),
  changedAt: sql.ref('state_changed_at'),
  refusals: sql.ref('refusals'),
  probeAt: sql.ref('probe_at'),
  pausedAction: 'connection.paused',
  resumedAction: 'connection.resumed',
} as const

const RETEN = {
  state: sql.ref('reporting_state'),
  reason: sql.ref('reporting_reason'),
  changedAt: sql.ref('reporting_changed_at'),
  refusals: sql.ref('reporting_refusals'),
  probeAt: sql.ref('reporting_probe_at'),
  pausedAction: 'reporting.paused',
  resumedAction: 'reporting.resumed',
} as const

/** The columns that tell of one side's key, and what the audit log calls its changes. */
export const REFUSAL_COLUMNS = Object.freeze({ deliveries: PROVIDER, reporting: RETEN })
