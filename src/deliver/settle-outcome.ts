// Writing down what one try came to, and pausing the connection where its credentials are at fault.
import type { DeliveryDecision } from '../dispatch/decide-delivery.ts'
import type { Logger } from '../logger.ts'
import type { FinishedAttempt } from '../store/attempt.ts'
import { storable } from '../store/attempt.ts'
import { isDataError, isRefusedValue } from '../store/database-errors.ts'
import type { Db } from '../store/database.ts'
import { pauseConnection } from '../store/pause-connection.ts'
import { settleDelivered, settleFailed, settleParked, settleRetry } from '../store/settle-delivery.ts'
import type { DeliverySettled } from '../store/settle-delivery.ts'

export interface SettleDeps {
  readonly db: Db
  readonly logger: Logger
  readonly worker: string
  readonly onConnectionChanged: () => void
}

/** Settles the job of `attempt` as decided; `connectionVersion` is the one the provider was called with. Rejects with PostgreSQL's error where nothing could be written. */
export function settleOutcome(
  deps: SettleDeps,
  attempt: FinishedAttempt,
  decision: DeliveryDecision,
  connectionVersion: string,
): Promise<DeliverySettled> {
  switch (decision.kind) {
    case 'delivered':
      return deliver(deps, attempt, decision)
    case 'retry':
      return settleRetry(deps.db, attempt, decision)
    case 'failed':
      return settleFailed(deps.db, attempt, decision.reasonCode)
    case 'parked':
      return settleParked(deps.db, attempt, decision.reason)
    case 'pause_connection':
      return pause(deps, attempt, decision, connectionVersion)
    default:
      return decision satisfies never
  }
}

/** A result that cannot be stored (an adapter's fault) is no reason to forget the delivery it came with. */
async function deliver(
  { db, logger }: SettleDeps,
  attempt: FinishedAttempt,
  decision: Extract<DeliveryDecision, { kind: 'delivered' }>,
): Promise<DeliverySettled> {
  try {
    return await settleDelivered(db, attempt, decision)
  } catch (error) {
    if (decision.result === undefined || !(isDataError(error) || isRefusedValue(error))) throw error
    const { dispatchId, connection } = attempt.job
    logger.error(
      { event: 'result.unusable', dispatchId, connection, err: error },
      'delivered, but its result is unusable',
    )
    return settleDelivered(db, attempt, { ...decision, result: undefined })
  }
}

async function pause(
  deps: SettleDeps,
  attempt: FinishedAttempt,
  decision: Extract<DeliveryDecision, { kind: 'pause_connection' }>,
  version: string,
): Promise<DeliverySettled> {
  const { connection, isFateUnknown } = attempt.job
  await pauseRefused(deps, connection, decision.reason, version)
  return settleRetry(deps.db, attempt, { delayMs: decision.delayMs, isCharged: false, isFateUnknown, isRefusal: true })
}

/** Pauses a connection whose provider refuses our key, unless it was changed since `version`. */
export async function pauseRefused(deps: SettleDeps, name: string, reason: string, version: string): Promise<void> {
  const { db, logger, worker, onConnectionChanged } = deps
  const pause = { name, side: 'deliveries', reason: storable(reason) ?? '', version, actor: worker } as const
  if (!(await pauseConnection(db, pause))) return
  logger.error({ event: 'connection.paused', connection: name }, `${name} is paused: its provider refuses our key`)
  onConnectionChanged()
}
