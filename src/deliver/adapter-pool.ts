// One adapter for each connection, built when it is first needed and again when the connection changes. A connection whose
// settings do not make an adapter has a fault that operators see; its dispatches wait, and no other connection notices.
import { hash } from 'node:crypto'
import type { Connection } from '../connection.ts'
import type { HttpClient } from '../http-client.ts'
import type { Logger } from '../logger.ts'
import type { Clock } from '../time.ts'
import type { Adapter, AdapterInput, AttributeView, ResultTypeView } from './adapters/adapter.ts'
import { createAdapter } from './adapters/registry.ts'

export interface AdapterPoolDeps {
  /**
   * The HTTP client of one connection. Each has its own, or many slow calls of one tenant would take the connections to a
   * provider that others need as well.
   */
  readonly createHttp: (connection: string) => HttpClient
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  /** The tenant's result types at Reten, for adapters that make results up. */
  readonly resultTypes: (connection: Connection, signal: AbortSignal) => Promise<readonly ResultTypeView[]>
  /** An activity's attributes at Reten. */
  readonly attributes: (
    connection: Connection,
    activityId: string,
    signal: AbortSignal,
  ) => Promise<readonly AttributeView[]>
}

export interface AdapterPool {
  /** The connection's adapter, or undefined where its settings do not make one. */
  get(connection: Connection): Promise<Adapter | undefined>
  /** The same, but undefined too while it takes long to build: nobody else waits for it. */
  getSoon(connection: Connection): Promise<Adapter | undefined>
  /** Throws RCV_ADAPTER_UNKNOWN or RCV_ADAPTER_SETTINGS where no adapter could be made of this. Calls nobody. */
  check(draft: AdapterDraft): Promise<void>
  close(): Promise<void>
}

/** A connection that is not there yet, as far as its adapter goes. */
export type AdapterDraft = Pick<Connection, 'name' | 'provider' | 'providerSettings' | 'providerSecrets'>

type FromReten = Pick<AdapterInput, 'resultTypes' | 'attributes'>

interface Entry {
  readonly version: string
  readonly adapter: Promise<Adapter | undefined>
  /** Ends, with nothing, once building it has taken too long to be waited for. */
  readonly patience: Promise<undefined>
}

// Ours are built at once. A module is loaded from disk, and what it awaits at its top is its own business.
const BUILD_PATIENCE_MS = 1_000

/** Builds an empty pool. */
export function createAdapterPool(deps: AdapterPoolDeps): AdapterPool {
  const entries = new Map<string, Entry>()
  const clients = new Map<string, HttpClient>()

  // Kept over versions: a delivery that is under way by the former one still calls.
  const clientOf = (name: string): HttpClient => {
    const client = clients.get(name) ?? deps.createHttp(name)
    clients.set(name, client)
    return client
  }

  const make = (draft: AdapterDraft, http: HttpClient, fromReten: FromReten): Promise<Adapter> =>
    createAdapter(draft.provider, {
      connection: draft.name,
      settings: draft.providerSettings,
      secrets: draft.providerSecrets,
      http,
      clock: deps.clock,
      random: deps.random,
      ...fromReten,
    })

  const build = (connection: Connection, version: string): Entry => ({
    version,
    patience: new Promise((resolve) => {
      setTimeout(resolve, BUILD_PATIENCE_MS, undefined).unref()
    }),
    adapter: make(connection, clientOf(connection.name), {
      resultTypes: (signal) => deps.resultTypes(connection, signal),
      attributes: (activityId, signal) => deps.attributes(connection, activityId, signal),
    }).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error)
      const line = { event: 'connection.unusable', connection: connection.name, provider: connection.provider }
      deps.logger.error(line, `${connection.name} cannot deliver: ${why}`)
      return undefined
    }),
  })

  const closeQuietly = async (building: Promise<Adapter | undefined>): Promise<void> => {
    try {
      await (await building)?.close()
    } catch (error) {
      deps.logger.warn({ event: 'adapter.close_failed', err: error }, 'an adapter did not close')
    }
  }

  const find = (connection: Connection): Entry => {
    const version = `${connection.version}:${hash('sha256', JSON.stringify(connection.providerSecrets), 'hex')}`
    const known = entries.get(connection.name)
    if (known?.version === version) return known
    const entry = build(connection, version)
    entries.set(connection.name, entry)
    if (known !== undefined) void closeQuietly(known.adapter)
    return entry
  }

  return {
    get: (connection) => find(connection).adapter,
    getSoon: (connection) => {
      const { adapter, patience } = find(connection)
      return Promise.race([adapter, patience])
    },
    check: async (draft) => {
      const http = deps.createHttp(draft.name)
      const adapter = await make(draft, http, { resultTypes: async () => [], attributes: async () => [] })
      await adapter.close()
      await http.close()
    },
    close: async () => {
      // One that is never built must not keep the process from ending.
      for (const { adapter, patience } of entries.values()) await closeQuietly(Promise.race([adapter, patience]))
      await Promise.all([...clients.values()].map((client) => client.close()))
    },
  }
}
