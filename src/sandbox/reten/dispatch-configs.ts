import { channels, type Channel, type DispatchConfig } from './records.ts'
import type { RetenState, Tenant } from './state.ts'

/** Where a tenant's activities go. */
export interface NewDispatchConfig {
  /** Without `/activities`. */
  readonly baseUrl: string
  /** Sent as `x-api-key`: the provider's secret, not a key of Reten's. */
  readonly apiKey: string
  /** Default: one configuration for each channel. */
  readonly channel?: Channel
}

/** Configures dispatching, replacing what was configured for the same channels. */
export const setDispatchConfig = (state: RetenState, tenant: Tenant, input: NewDispatchConfig): DispatchConfig[] => {
  const wanted = input.channel === undefined ? channels : [input.channel]
  for (const config of tenant.dispatchConfigs.values()) {
    if (wanted.includes(config.channel)) tenant.dispatchConfigs.delete(config.id)
  }
  return wanted.map((channel) => {
    const config: DispatchConfig = {
      id: state.nextId('dispatch-config'),
      dispatchProviderId: state.random.uuid('dispatch-provider', 'YOM'),
      channel,
      baseUrl: input.baseUrl,
      credentials: { apiKey: input.apiKey },
      settings: {},
      isActive: true,
    }
    tenant.dispatchConfigs.set(config.id, config)
    return config
  })
}
