import { AppError } from '../errors.ts'
import { createAdapter } from '../deliver/adapters/registry.ts'
import { createHttpClient } from '../http-client.ts'
import type { ConnectionDraft } from '../ops/connection-input.ts'
import { systemClock } from '../time.ts'

/**
 * Builds the adapter a connection would have, and closes it again: a setting it refuses is refused before it is stored.
 * Calls nobody. Throws RCV_ADAPTER_UNKNOWN or RCV_ADAPTER_SETTINGS.
 */
export async function checkAdapter(draft: ConnectionDraft): Promise<void> {
  const http = createHttpClient()
  try {
    const adapter = await createAdapter(draft.provider, {
      connection: draft.name,
      settings: draft.providerSettings,
      secrets: draft.providerSecrets,
      http,
      clock: systemClock,
      random: Math.random,
      resultTypes: refuse,
      attributes: refuse,
    })
    await adapter.close()
  } finally {
    await http.close()
  }
}

function refuse(): Promise<never> {
  return Promise.reject(new AppError('RCV_INTERNAL', 'an adapter that is only checked asks nobody'))
}
