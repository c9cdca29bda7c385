// Everything known of one dispatch but its bodies, as it stood at one moment: read in one snapshot, so that a delivery that
// settles meanwhile is either wholly there or not at all.
import type { Db, Tx } from './database.ts'
import { selectDispatches } from './list-dispatches.ts'

// A dispatch has a dozen tries and a handful of entries; one that was replayed for weeks must not fill the answer.
const MAX_ROWS = 200

export type LoadedDispatch = NonNullable<Awaited<ReturnType<typeof loadDispatch>>>

/** The dispatch with its jobs, its last 200 attempts, its results and its audit entries; undefined where it is unknown. */
export async function loadDispatch(db: Db, id: string) {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      const dispatch = await selectDispatches(tx).where('d.id', '=', id).executeTakeFirst()
      if (dispatch === undefined) return undefined
      return {
        dispatch,
        jobs: await tx.selectFrom('jobs').selectAll().where('dispatch_id', '=', id).orderBy('id').execute(),
        attempts: await loadAttempts(tx, id),
        results: await loadResults(tx, id),
        audit: await loadAudit(tx, dispatch.id),
      }
    })
}

async function loadAttempts(tx: Tx, id: string) {
  const newestFirst = await tx
    .selectFrom('attempts')
    .select([
      'job_id',
      'kind',
      'number',
      'claim_no',
      'result_id',
      'started_at',
      'duration_ms',
      'outcome',
      'http_status',
      'error_code',
      'error_message',
      'request_excerpt',
      'response_excerpt',
      'worker',
    ])
    .where('dispatch_id', '=', id)
    .orderBy('started_at', 'desc')
    .limit(MAX_ROWS)
    .execute()
  return newestFirst.toReversed()
}

async function loadResults(tx: Tx, id: string) {
  return tx
    .selectFrom('results')
    .selectAll()
    .where('dispatch_id', '=', id)
    .orderBy('created_at')
    .orderBy('id')
    .limit(MAX_ROWS)
    .execute()
}

async function loadAudit(tx: Tx, target: string) {
  return tx
    .selectFrom('audit_log')
    .select(['at', 'actor', 'action', 'reason', 'request_id', 'detail'])
    .where('target', '=', target)
    .orderBy('at')
    .orderBy('id')
    .limit(MAX_ROWS)
    .execute()
}
