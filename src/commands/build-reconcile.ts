import type { Config } from '../config.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { createInbox } from '../receive/inbox.ts'
import { createReconcileService } from '../reconcile/reconcile-service.ts'
import type { ReconcileDeps, ReconcileService } from '../reconcile/reconcile-service.ts'
import type { RetenClients } from '../report/reten-clients.ts'
import type { ConnectionCatalog } from '../store/connection-catalog.ts'
import type { Db } from '../store/database.ts'
import { insertDispatches } from '../store/insert-dispatches.ts'
import { ensureDayPartitions } from '../store/partitions.ts'
import type { JobKind } from '../store/tables.ts'
import type { Clock } from '../time.ts'

export interface ReconcileInput extends Pick<ReconcileDeps, 'retryDelaysMs'> {
  readonly config: Pick<Config, 'databaseUrl'>
  readonly db: Db
  readonly catalog: Pick<ConnectionCatalog, 'list'>
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly metrics: Metrics
  readonly worker: string
  readonly retenClients: RetenClients
  readonly nudge: (kind: JobKind) => void
}

/**
 * Builds `reconcile` with an inbox of its own, beside the one that answers pushes. What is there already is no repeat of anything:
 * a row of Reten's list is neither counted nor kept beside the body that was pushed.
 */
export function buildReconcileService(input: ReconcileInput): ReconcileService {
  const { config, db, metrics, retenClients, nudge } = input
  const inbox = createInbox({
    insert: (rows) => insertDispatches(db, rows),
    recordRepeat: async () => 'known',
    ensurePartitions: () => ensureDayPartitions(db),
    onCommitted: () => nudge('deliver'),
    observeBatch: (rows, seconds) => {
      metrics.commitBatchSize.observe(rows)
      metrics.commitDuration.observe(seconds)
    },
  })
  return createReconcileService({
    ...input,
    isEmbedded: config.databaseUrl === undefined,
    retenOf: (connection) => retenClients.get(connection),
    takeIn: async (dispatch) => (await inbox.submit(dispatch, 'keep')) === 'new',
  })
}
