// One adapter for each connection, built when it is first needed and again when the connection changes. A connection whose
// settings do not make an adapter has a fault that operators see; its dispatches wait, and no other connection notices.
import { hash } from 'node:crypto'
import type { Connection } from '../connection.ts'
import type { HttpClient } from '../http-client.ts'
import type { Logger } from '../logger.ts'
import type { Clock } from '../time.ts'
import type { Adapter, ResultTypeView } from './adapters/adapter.ts'
import { createAdapter } from './adapters/registry.ts'

export interface AdapterPoolDeps {
  readonly http: HttpClient
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  /** The tenant's result types at Reten, for adapters that make results up. */
  readonly resultTypes: (connection: Connection, signal: AbortSignal) => Promise<readonly ResultTypeView[]>
}

export interface AdapterPool {
  /** The connection's adapter, or undefined where its settings do not make one. */
  get(connection: Connection): Promise<Adapter | undefined>
  /** Why a connection has no adapter, in the adapter's words. */
  faultOf(name: string): string | undefined
  close(): Promise<void>
}

interface Entry {
  readonly version: string
  readonly adapter: Promise<Adapter | undefined>
  fault: string | undefined
}

/** Builds an empty pool. */
export function createAdapterPool(deps: AdapterPoolDeps): AdapterPool {
  const entries = new Map<string, Entry>()

  const build = (connection: Connection, version: string): Entry => {
    const entry: Entry = {
      version,
      fault: undefined,
      adapter: createAdapter(connection.provider, {
        connection: connection.name,
        settings: connection.providerSettings,
        secrets: connection.providerSecrets,
        http: deps.http,
        clock: deps.clock,
        random: deps.random,
        resultTypes: (signal) => deps.resultTypes(connection, signal),
      }).catch((error: unknown) => {
        entry.fault = error instanceof Error ? error.message : String(error)
        deps.logger.error(
          { event: 'connection.unusable', connection: connection.name, provider: connection.provider, err: error },
          `${connection.name} cannot deliver: ${entry.fault}`,
        )
        return undefined
      }),
    }
    return entry
  }

  return {
    get: async (connection) => {
      const version = `${connection.version}:${hash('sha256', JSON.stringify(connection.providerSecrets), 'hex')}`
      const known = entries.get(connection.name)
      if (known?.version === version) return known.adapter
      const entry = build(connection, version)
      entries.set(connection.name, entry)
      void known?.adapter.then((adapter) => adapter?.close())
      return entry.adapter
    },
    faultOf: (name) => entries.get(name)?.fault,
    close: async () => {
      for (const entry of entries.values()) await (await entry.adapter)?.close()
    },
  }
}
