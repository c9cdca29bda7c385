// Activities whose dispatch failed for good and that the list for providers does not show: Reten's core list has them, where our
// key may read it. They are named to a person and never taken: what Reten hides from providers may not be ours to do, and the core
// list tells neither the commerce's external id nor the time of creation.
import type { Connection } from '../connection.ts'
import { computeDispatchId } from '../dispatch/identity.ts'
import type { RetenActivitiesClient } from '../reten/activities-client.ts'
import type { Db } from '../store/database.ts'
import { findKnownDispatches } from '../store/find-known-dispatches.ts'
import { isForUs } from './judge-unseen.ts'
import type { Tally } from './tally.ts'

export interface HiddenDeps {
  readonly db: Db
  readonly activities: Pick<RetenActivitiesClient, 'listActivities'>
  readonly tally: Tally
}

export interface HiddenSearch {
  readonly scheduledFrom: string
  readonly scheduledTo: string
  /** What the list for providers shows, ids in lower case. */
  readonly listed: ReadonlySet<string>
}

const PER_PAGE = 100
// Two thousand that failed for good are told by the first ones.
const MAX_PAGES = 20

/** Notes each of them; answers why Reten did not let us look, where it did not. */
export async function findHidden(
  { db, activities, tally }: HiddenDeps,
  connection: Connection,
  { scheduledFrom, scheduledTo, listed }: HiddenSearch,
  signal: AbortSignal,
): Promise<string | undefined> {
  const seen = new Set<string>()
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const query = { page, pageSize: PER_PAGE, status: 'FAILED', scheduledFrom, scheduledTo }
    const answer = await activities.listActivities(query, signal)
    tally.pages += 1
    if (answer.kind !== 'ok') return answer.message
    const { data, meta } = answer.value
    const fresh = data.filter(({ id }) => !seen.has(id))
    for (const { id } of fresh) seen.add(id)
    const unlisted = fresh
      .filter((row) => !listed.has(row.id.toLowerCase()) && isForUs(row, connection.settings.channels))
      .map(({ id }) => ({ id, dispatchId: computeDispatchId(connection.name, id) }))
    const known = await findKnownDispatches(
      db,
      unlisted.map(({ dispatchId }) => dispatchId),
    )
    for (const { id, dispatchId } of unlisted) if (!known.has(dispatchId)) tally.note(id, 'hidden')
    if (fresh.length === 0 || page >= (meta.totalPages ?? Number.POSITIVE_INFINITY)) return undefined
  }
  return undefined
}
