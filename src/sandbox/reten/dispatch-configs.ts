import { findProvider } from './dispatch-providers.ts'
import { channels, type Activity, type Channel, type DispatchConfig } from './records.ts'
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

/** Configures dispatching to YOM, replacing what was configured for the same channels. */
export const setDispatchConfig = (state: RetenState, tenant: Tenant, input: NewDispatchConfig): DispatchConfig[] => {
  const wanted = input.channel === undefined ? channels : [input.channel]
  for (const config of tenant.dispatchConfigs.values()) {
    if (wanted.includes(config.channel)) tenant.dispatchConfigs.delete(config.id)
  }
  return wanted.map((channel) => {
    const config: DispatchConfig = {
      id: state.nextId('dispatch-config'),
      dispatchProviderId: findProvider(state.providers, 'YOM')?.id ?? '',
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

/** The tenant's active configuration for the activity's channel. */
export const findDispatchConfig = (tenant: Tenant, activity: Activity): DispatchConfig | undefined => {
  for (const config of tenant.dispatchConfigs.values()) {
    if (config.isActive && config.channel === activity.channel) return config
  }
  return undefined
}
