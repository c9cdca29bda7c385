// One adapter for each connection, built when it is first needed and again when the connection changes. A connection whose
// settings do not make an adapter has a fault that operators see; its dispatches wait, and no other connection notices.
import { hash } from 'node:crypto'
import type { Connection } from '../connection.ts'
import type { HttpClient } from '../http-client.ts'
import type { Logger } from '../logger.ts'
import type { Clock } from '../time.ts'
import type { Adapter, AdapterInput, ResultTypeView } from './adapters/adapter.ts'
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
  /** Throws RCV_ADAPTER_UNKNOWN or RCV_ADAPTER_SETTINGS where no adapter could be made of this. Calls nobody. */
  check(draft: AdapterDraft): Promise<void>
  close(): Promise<void>
}

/** A connection that is not there yet, as far as its adapter goes. */
export type AdapterDraft = Pick<Connection, 'name' | 'provider' | 'providerSettings' | 'providerSecrets'>

interface Entry {
  readonly version: string
  readonly adapter: Promise<Adapter | undefined>
}

/** Builds an empty pool. */
export function createAdapterPool(deps: AdapterPoolDeps): AdapterPool {
  const entries = new Map<string, Entry>()

  const make = (draft: AdapterDraft, resultTypes: AdapterInput['resultTypes']): Promise<Adapter> =>
    createAdapter(draft.provider, {
      connection: draft.name,
      settings: draft.providerSettings,
      secrets: draft.providerSecrets,
      http: deps.http,
      clock: deps.clock,
      random: deps.random,
      resultTypes,
    })

  const build = (connection: Connection, version: string): Entry => ({
    version,
    adapter: make(connection, (signal) => deps.resultTypes(connection, signal)).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error)
      const line = { event: 'connection.unusable', connection: connection.name, provider: connection.provider }
      deps.logger.error(line, `${connection.name} cannot deliver: ${why}`)
      return undefined
    }),
  })

  const closeQuietly = async (entry: Entry): Promise<void> => {
    try {
      await (await entry.adapter)?.close()
    } catch (error) {
      deps.logger.warn({ event: 'adapter.close_failed', err: error }, 'an adapter did not close')
    }
  }

  return {
    get: async (connection) => {
      const version = `${connection.version}:${hash('sha256', JSON.stringify(connection.providerSecrets), 'hex')}`
      const known = entries.get(connection.name)
      if (known?.version === version) return known.adapter
      const entry = build(connection, version)
      entries.set(connection.name, entry)
      if (known !== undefined) void closeQuietly(known)
      return entry.adapter
    },
    check: async (draft) => {
      const adapter = await make(draft, async () => [])
      await adapter.close()
    },
    close: async () => {
      for (const entry of entries.values()) await closeQuietly(entry)
    },
  }
}
