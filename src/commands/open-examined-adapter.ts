import { createAdapter } from '../deliver/adapters/registry.ts'
import type { Subject } from '../doctor/subject.ts'
import { AppError } from '../errors.ts'
import { systemClock } from '../time.ts'

const refuse = (): Promise<never> =>
  Promise.reject(new AppError('RCV_INTERNAL', 'an adapter that is only examined delivers nothing'))

/** Builds the adapter of a connection that is examined. Throws RCV_ADAPTER_UNKNOWN or RCV_ADAPTER_SETTINGS. */
export const openExaminedAdapter: Subject['openAdapter'] = (connection, http) =>
  createAdapter(connection.provider, {
    connection: connection.name,
    settings: connection.providerSettings,
    secrets: connection.providerSecrets,
    http,
    clock: systemClock,
    random: Math.random,
    resultTypes: refuse,
    attributes: refuse,
  })
