// The clients of Reten's API for each connection that has a key, built again when the connection changes.
import type { Connection } from '../connection.ts'
import type { HttpClient } from '../http-client.ts'
import { createRetenActivitiesClient } from '../reten/activities-client.ts'
import type { RetenActivitiesClient } from '../reten/activities-client.ts'
import { createRetenClient } from '../reten/reten-client.ts'
import type { RetenClient } from '../reten/reten-client.ts'
import { createResultTypesReader } from '../reten/result-types.ts'
import type { ResultTypesReader } from '../reten/result-types.ts'
import type { Clock } from '../time.ts'

export interface RetenAccess {
  readonly client: RetenClient
  readonly activities: RetenActivitiesClient
  readonly resultTypes: ResultTypesReader
}

export interface RetenClients {
  /** Undefined where the connection has no Reten key or no Reten address. */
  get(connection: Connection): RetenAccess | undefined
  close(): void
}

export interface RetenClientsDeps {
  /** The HTTP client for one connection's calls. */
  readonly httpOf: (connection: string) => HttpClient
  readonly clock: Clock
}

/** Builds an empty set of clients. */
export function createRetenClients({ httpOf, clock }: RetenClientsDeps): RetenClients {
  const entries = new Map<string, { readonly version: string; readonly access: RetenAccess }>()
  return {
    get: (connection) => {
      const { name, retenBaseUrl, retenApiKey } = connection
      if (retenBaseUrl === undefined || retenApiKey === undefined) return undefined
      const version = `${connection.version}\n${retenBaseUrl}\n${retenApiKey}`
      const known = entries.get(name)
      if (known?.version === version) return known.access
      known?.access.resultTypes.close()
      const shared = { baseUrl: retenBaseUrl, http: httpOf(name), clock }
      const client = createRetenClient({ ...shared, apiKey: retenApiKey })
      const activities = createRetenActivitiesClient({ ...shared, credentials: { apiKey: retenApiKey } })
      const access = { client, activities, resultTypes: createResultTypesReader({ client, clock }) }
      entries.set(name, { version, access })
      return access
    },
    close: () => {
      for (const { access } of entries.values()) access.resultTypes.close()
    },
  }
}
