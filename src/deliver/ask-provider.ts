// Whether a provider takes our key again, as far as its adapter can find out.
import type { Connection } from '../connection.ts'
import type { ProbeAnswer } from '../dispatch/key-probe.ts'
import type { AdapterPool } from './adapter-pool.ts'

/** Probes the provider of `connection`. An adapter without a probe cannot tell: a delivery on trial will. */
export async function askProvider(
  adapters: AdapterPool,
  connection: Connection,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const adapter = await adapters.getSoon(connection)
  if (adapter === undefined) return { kind: 'unknown', message: 'its settings make no adapter, or not yet' }
  return adapter.probe === undefined ? { kind: 'good' } : checked(await adapter.probe(signal))
}

/** An adapter may be anybody's module. */
function checked(answer: ProbeAnswer): ProbeAnswer {
  const { kind }: { readonly kind: unknown } = answer
  if (kind === 'good' || kind === 'refused' || kind === 'unknown') return answer
  throw new TypeError(`the adapter answered a probe with ${JSON.stringify(kind)}`)
}
