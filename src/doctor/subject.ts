// One connection as the doctor sees it: with what the service would work by, and what it is examined with.
import type { Config } from '../config.ts'
import type { Connection } from '../connection.ts'
import type { ProbeAnswer } from '../dispatch/key-probe.ts'
import type { HttpClient } from '../http-client.ts'
import { buildConnection, ENVIRONMENT_CONNECTION } from '../store/connection-catalog.ts'
import type { Db } from '../store/database.ts'
import type { Clock } from '../time.ts'

/** As much of an adapter as is examined; see deliver/adapters/adapter.ts. */
export interface AdapterView {
  readonly capabilities: { readonly completion: 'reply' | 'webhook' | 'none' }
  readonly probeAssumption?: string | undefined
  probe?(signal: AbortSignal): Promise<ProbeAnswer>
  close(): Promise<void>
}

export interface Subject {
  readonly connection: Connection
  readonly config: Pick<Config, 'environmentConnection' | 'secretsKeys'>
  /** Undefined where the database cannot be asked. */
  readonly db: Db | undefined
  readonly http: HttpClient
  readonly clock: Clock
  /** Builds the connection's adapter on `http`. Throws RCV_ADAPTER_UNKNOWN or RCV_ADAPTER_SETTINGS. */
  readonly openAdapter: (connection: Connection, http: HttpClient) => Promise<AdapterView>
  /** Where Reten is to reach this service, without /activities; undefined where nobody said. */
  readonly publicUrl: string | undefined
}

/**
 * The connection the environment describes, as the next start would have it; undefined without one. `stored` is what the
 * database says of it, if it has been there before: whether it is paused.
 */
export function readEnvironmentSubject(
  config: Subject['config'],
  stored: Connection | undefined,
): Connection | undefined {
  const environment = config.environmentConnection
  if (environment === undefined) return undefined
  const built = buildConnection(
    {
      name: ENVIRONMENT_CONNECTION,
      provider: environment.provider,
      origin: 'environment',
      state: 'active',
      state_reason: null,
      refusals: 0,
      probe_at: null,
      reporting_state: 'active',
      reporting_reason: null,
      reporting_refusals: 0,
      reten_base_url: environment.retenBaseUrl ?? null,
      settings: environment.settings,
      provider_settings: { ...environment.providerSettings },
      secrets: null,
      secrets_key_id: null,
      created_at: new Date(0),
      updated_at: new Date(0),
    },
    config,
  )
  if (stored === undefined) return built
  const { state, stateReason, pausedBy, reporting } = stored
  return { ...built, state, stateReason, pausedBy, reporting }
}

/** Every secret of the subject, so that none is shown whatever the other side repeats. */
export function secretsOf({ connection, config }: Pick<Subject, 'connection' | 'config'>): readonly string[] {
  const { retenApiKey, providerSecrets, origin } = connection
  const environment = origin === 'environment' ? config.environmentConnection : undefined
  return [
    ...[retenApiKey, environment?.webhookToken].filter((secret) => secret !== undefined),
    ...Object.values(providerSecrets),
    ...(environment?.dispatchKeys ?? []),
  ]
}
