import type { SandboxClock } from '../clock.ts'
import type { SeededRandom } from '../seeded-random.ts'
import { channels, type Channel } from './records.ts'

/** What a provider needs to be told for one channel. */
export interface ChannelDefinition {
  readonly id: string
  readonly dispatchProviderId: string
  readonly channel: Channel
  readonly credentialSchema: readonly {
    readonly key: string
    readonly label: string
    readonly type: string
    readonly required: boolean
  }[]
  readonly settingsSchema: readonly unknown[]
  readonly createdAt: string
  readonly updatedAt: string
}

/** A provider as Reten's team registers it. */
export interface DispatchProvider {
  readonly id: string
  readonly code: 'YOM' | 'MOCK'
  readonly name: string
  readonly protocolType: string
  readonly isActive: boolean
  readonly channelDefinitions: readonly ChannelDefinition[]
}

/** The two documented providers: YOM over REST, and MOCK, which always succeeds with a random id and calls nobody. */
export const createDispatchProviders = (clock: SandboxClock, random: SeededRandom): Map<string, DispatchProvider> => {
  const apiKey = { key: 'apiKey', label: 'API Key', type: 'password', required: true }
  const define = (
    code: DispatchProvider['code'],
    name: string,
    of: readonly Channel[],
    credentialSchema: ChannelDefinition['credentialSchema'],
  ): DispatchProvider => {
    const id = random.uuid('dispatch-provider', code)
    const now = clock.nowIso()
    const channelDefinitions = of.map((channel) => ({
      id: random.uuid('channel-definition', code, channel),
      dispatchProviderId: id,
      channel,
      credentialSchema,
      settingsSchema: [],
      createdAt: now,
      updatedAt: now,
    }))
    return { id, code, name, protocolType: 'REST', isActive: true, channelDefinitions }
  }
  const providers = [
    // The documentation shows a SALESMAN definition and no other.
    define('YOM', 'YOM Provider', ['SALESMAN'], [apiKey]),
    define('MOCK', 'Mock Provider', channels, []),
  ]
  return new Map(providers.map((provider) => [provider.id, provider]))
}

/** The provider of a code. */
export const findProvider = (
  providers: ReadonlyMap<string, DispatchProvider>,
  code: DispatchProvider['code'],
): DispatchProvider | undefined => [...providers.values()].find((provider) => provider.code === code)
