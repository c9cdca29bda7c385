import { createHttpClient } from '../http-client.ts'
import type { ConnectionDraft } from '../ops/connection-input.ts'
import { openExaminedAdapter } from './open-examined-adapter.ts'

/**
 * Builds the adapter a connection would have, and closes it again: a setting it refuses is refused before it is stored.
 * Calls nobody. Throws RCV_ADAPTER_UNKNOWN or RCV_ADAPTER_SETTINGS.
 */
export async function checkAdapter(draft: ConnectionDraft): Promise<void> {
  const http = createHttpClient()
  try {
    const adapter = await openExaminedAdapter(draft, http)
    await adapter.close()
  } finally {
    await http.close()
  }
}
