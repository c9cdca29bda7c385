// What adapters may ask of Reten about their tenant. Rejects where Reten cannot be asked or does not answer: an adapter that has
// sent nothing by then answers `retry`.
import type { Connection } from '../connection.ts'
import type { AttributeView, ResultTypeView } from '../deliver/adapters/adapter.ts'
import { AppError } from '../errors.ts'
import type { RetenAccess, RetenClients } from '../report/reten-clients.ts'

/** The tenant's result types, remembered for some minutes. Throws RCV_ADAPTER_SETTINGS where there is no key for Reten. */
export async function readResultTypes(
  clients: RetenClients,
  connection: Connection,
  signal: AbortSignal,
): Promise<readonly ResultTypeView[]> {
  const reading = await accessOf(clients, connection).resultTypes.read(signal)
  if (reading.kind !== 'ok') throw new Error(`the result types cannot be read: ${reading.message}`)
  return reading.value.map((type) => ({
    code: type.code,
    requiresFutureScheduledAt: type.requiresFutureScheduledAt === true,
  }))
}

/** An activity's attributes as Reten has them now. Throws RCV_ADAPTER_SETTINGS where there is no key for Reten. */
export async function readAttributes(
  clients: RetenClients,
  connection: Connection,
  activityId: string,
  signal: AbortSignal,
): Promise<readonly AttributeView[]> {
  const answer = await accessOf(clients, connection).activities.listAttributes(activityId, signal)
  if (answer.kind !== 'ok') throw new Error(`the attributes cannot be read: ${answer.message}`)
  return answer.value.map(({ attributeKeyId, value = null, resolutionStatus }) => ({
    attributeKeyId,
    value,
    resolutionStatus: resolutionStatus ?? undefined,
  }))
}

function accessOf(clients: RetenClients, connection: Connection): RetenAccess {
  const access = clients.get(connection)
  if (access !== undefined) return access
  throw new AppError(
    'RCV_ADAPTER_SETTINGS',
    `${connection.name} has no Reten key: set RETEN_API_KEY and RETEN_ENVIRONMENT`,
  )
}
