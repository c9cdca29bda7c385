// A page of the ledger, newest first. The keyset is seq: it is unique, indexed alone and per connection, and never changes,
// so a page costs the same however deep it lies and no row is shown twice while new ones arrive.
import type { DispatchState } from '../dispatch/states.ts'
import type { Db } from './database.ts'

export interface DispatchFilter {
  readonly state?: DispatchState | undefined
  readonly connection?: string | undefined
  /** Only those that the provider owes a result for longer than their connection waits. */
  readonly isOverdue?: boolean
  /** Only those whose delivery waits for a person. */
  readonly isParked?: boolean
  /** Only what arrived before this one. */
  readonly beforeSeq?: number | undefined
  readonly limit: number
}

/** A ledger row with what its deliver job says, where it has one. */
export type ListedDispatch = Awaited<ReturnType<typeof listDispatches>>[number]

/** At most `limit` dispatches that fit the filter, newest first. */
export async function listDispatches(db: Db, filter: DispatchFilter) {
  let query = selectDispatches(db).orderBy('d.seq', 'desc').limit(filter.limit)
  if (filter.state !== undefined) query = query.where('d.state', '=', filter.state)
  if (filter.connection !== undefined) query = query.where('d.connection', '=', filter.connection)
  // Both have an index of their own, which holds nothing else.
  if (filter.isOverdue === true) query = query.where('d.overdue_at', 'is not', null).where('d.state', '=', 'delivered')
  if (filter.isParked === true) query = query.where('j.parked_reason', 'is not', null)
  if (filter.beforeSeq !== undefined) query = query.where('d.seq', '<', filter.beforeSeq)
  return query.execute()
}

/** The columns an operator sees of a dispatch; the job is found by its unique index, once per row shown. */
export function selectDispatches(db: Db) {
  return db
    .selectFrom('dispatches as d')
    .leftJoin('jobs as j', (join) => join.onRef('j.dispatch_id', '=', 'd.id').on('j.kind', '=', 'deliver'))
    .select([
      'd.id',
      'd.seq',
      'd.connection',
      'd.activity_id',
      'd.type',
      'd.channel',
      'd.commerce_id',
      'd.operator_id',
      'd.scheduled_at',
      'd.state',
      'd.reason_code',
      'd.origin',
      'd.revision',
      'd.repeats',
      'd.changed_bodies',
      'd.provider_task_id',
      'd.cancellation',
      'd.overdue_at',
      'd.received_at',
      'd.delivered_at',
      'd.finished_at',
      'j.id as job_id',
      'j.due_at as job_due_at',
      'j.leased_until as job_leased_until',
      'j.attempts as job_attempts',
      'j.parked_reason as job_parked_reason',
    ])
}
