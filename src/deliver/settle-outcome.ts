// Writing down what one try came to, and pausing the connection where its credentials are at fault.
import type { Connection, EffectiveSettings } from '../connection.ts'
import type { DeliveryDecision } from '../dispatch/decide-delivery.ts'
import type { Logger } from '../logger.ts'
import type { FinishedAttempt } from '../store/attempt.ts'
import { storable } from '../store/attempt.ts'
import { isDataError, isRefusedValue } from '../store/database-errors.ts'
import type { Db } from '../store/database.ts'
import { pauseConnection } from '../store/pause-connection.ts'
import { settleDelivered, settleFailed, settleParked, settleRetry } from '../store/settle-delivery.ts'
import type { DeliverySettled } from '../store/settle-delivery.ts'
import { acknowledgement, giveUpResult } from './service-result.ts'

export interface SettleDeps {
  readonly db: Db
  readonly logger: Logger
  readonly worker: string
  readonly onConnectionChanged: () => void
}

/** Settles the job of `attempt` as decided; `connection` is what the provider was called with. Rejects with PostgreSQL's error where nothing could be written. */
export function settleOutcome(
  deps: SettleDeps,
  attempt: FinishedAttempt,
  decision: DeliveryDecision,
  connection: Pick<Connection, 'version' | 'settings'>,
): Promise<DeliverySettled> {
  switch (decision.kind) {
    case 'delivered':
      return deliver(deps, attempt, decision, connection.settings)
    case 'retry':
      return settleRetry(deps.db, attempt, decision)
    case 'failed':
      return giveUp(deps.db, attempt, decision.reasonCode, connection.settings)
    case 'parked':
      return settleParked(deps.db, attempt, decision.reason)
    case 'pause_connection':
      return pause(deps, attempt, decision, connection.version)
    default:
      return decision satisfies never
  }
}

/** A result that cannot be stored (an adapter's fault) is no reason to forget the delivery it came with. */
async function deliver(
  { db, logger }: SettleDeps,
  attempt: FinishedAttempt,
  decision: Extract<DeliveryDecision, { kind: 'delivered' }>,
  settings: EffectiveSettings,
): Promise<DeliverySettled> {
  const acknowledged = acknowledgement(settings, attempt.job.revision, endOf(attempt))
  try {
    return await settleDelivered(db, attempt, { ...decision, acknowledgement: acknowledged })
  } catch (error) {
    if (decision.result === undefined || !(isDataError(error) || isRefusedValue(error))) throw error
    const { dispatchId, connection } = attempt.job
    logger.error(
      { event: 'result.unusable', dispatchId, connection, err: error },
      'delivered, but its result is unusable',
    )
    return settleDelivered(db, attempt, { ...decision, result: undefined, acknowledgement: acknowledged })
  }
}

async function giveUp(
  db: Db,
  attempt: FinishedAttempt,
  reasonCode: string,
  settings: EffectiveSettings,
): Promise<DeliverySettled> {
  const result = giveUpResult(settings, attempt.job.revision, storable(reasonCode) ?? '', endOf(attempt))
  return settleFailed(db, attempt, reasonCode, result)
}

function endOf({ startedAt, durationMs }: FinishedAttempt): Date {
  return new Date(startedAt.getTime() + durationMs)
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
