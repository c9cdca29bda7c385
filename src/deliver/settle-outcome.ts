// Writing down what one try came to, and pausing the connection where its credentials are at fault.
import type { DeliveryDecision } from '../dispatch/decide-delivery.ts'
import type { Logger } from '../logger.ts'
import type { FinishedAttempt } from '../store/attempt.ts'
import { storable } from '../store/attempt.ts'
import { isDataError, isRefusedValue } from '../store/database-errors.ts'
import type { Db } from '../store/database.ts'
import { pauseConnection } from '../store/pause-connection.ts'
import { settleDelivered, settleFailed, settleParked, settleRetry } from '../store/settle-delivery.ts'
import type { Settled } from '../store/settle-delivery.ts'

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
): Promise<Settled> {
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
): Promise<Settled> {
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
  { db, logger, worker, onConnectionChanged }: SettleDeps,
  attempt: FinishedAttempt,
  decision: Extract<DeliveryDecision, { kind: 'pause_connection' }>,
  version: string,
): Promise<Settled> {
  const { connection: name, isFateUnknown } = attempt.job
  const reason = storable(decision.reason) ?? ''
  if (await pauseConnection(db, { name, side: 'deliveries', reason, version, actor: worker })) {
    logger.error({ event: 'connection.paused', connection: name }, `${name} is paused: its provider refuses our key`)
    onConnectionChanged()
  }
  return settleRetry(db, attempt, { delayMs: decision.delayMs, isCharged: false, isFateUnknown, isRefusal: true })
}
