// Whether Reten takes our key again.
import type { Connection } from '../connection.ts'
import type { ProbeAnswer } from '../dispatch/key-probe.ts'
import type { RetenClients } from './reten-clients.ts'

/**
 * Asks for the tenant's result types, Reten's documented way to try a key. A 403 says that the key is known and may not see
 * those; whether it may report, the next report shows.
 */
export async function askReten(
  clients: RetenClients,
  connection: Connection,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const access = clients.get(connection)
  if (access === undefined) return { kind: 'unknown', message: 'it has no key for Reten' }
  const answer = await access.client.listResultTypes(signal)
  switch (answer.kind) {
    case 'ok':
      return { kind: 'good' }
    case 'refused':
      return answer.status === 401 ? { kind: 'refused', message: answer.message } : { kind: 'good' }
    case 'unavailable':
      return { kind: answer.status === 401 ? 'refused' : 'unknown', message: answer.message }
    default:
      return answer satisfies never
  }
}
