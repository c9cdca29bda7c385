import type { Connection } from '../connection.ts'
import type { Adapter } from '../deliver/adapters/adapter.ts'
import { createAdapter } from '../deliver/adapters/registry.ts'
import { AppError } from '../errors.ts'
import type { HttpClient } from '../http-client.ts'
import { systemClock } from '../time.ts'

/** A connection as far as its adapter goes, stored already or not. */
export type ExaminedConnection = Pick<Connection, 'name' | 'provider' | 'providerSettings' | 'providerSecrets'>

/** Builds the adapter of a connection that is only looked at. Calls nobody. Throws RCV_ADAPTER_UNKNOWN or RCV_ADAPTER_SETTINGS. */
export function openExaminedAdapter(connection: ExaminedConnection, http: HttpClient): Promise<Adapter> {
  return createAdapter(connection.provider, {
    connection: connection.name,
    settings: connection.providerSettings,
    secrets: connection.providerSecrets,
    http,
    clock: systemClock,
    random: Math.random,
    resultTypes: refuse,
    attributes: refuse,
  })
}

function refuse(): Promise<never> {
  return Promise.reject(new AppError('RCV_INTERNAL', 'an adapter that is only examined asks nobody'))
}
