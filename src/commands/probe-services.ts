// Keys that were refused are tried again, one instance at a time for each side.
import type { AdapterPool } from '../deliver/adapter-pool.ts'
import { askProvider } from '../deliver/ask-provider.ts'
import { createPeriodic } from '../periodic.ts'
import { askReten } from '../report/ask-reten.ts'
import type { RetenClients } from '../report/reten-clients.ts'
import type { Service } from '../services.ts'
import { probeRefusedKeys } from '../store/probe-refused-keys.ts'
import type { ProbeTurn } from '../store/probe-refused-keys.ts'
import type { JobKind } from '../store/tables.ts'
import { takeTurn } from '../store/take-turn.ts'

export interface ProbeServicesInput extends Pick<ProbeTurn, 'db' | 'catalog' | 'logger' | 'worker'> {
  readonly adapters: AdapterPool
  readonly retenClients: RetenClients
  readonly nudge: (kind: JobKind) => void
}

// How late a key that is due may be tried: a connection that was just mended should go on within moments.
const EVERY_5_SECONDS = '*/5 * * * * *'
// Above what a turn takes (10 s), and no longer: a start with a key that was put right takes over from the instance before it.
const LEASE_SECONDS = 12

/** Builds `probe-deliveries` and `probe-reporting`. */
export function buildProbeServices(input: ProbeServicesInput): Service[] {
  const { adapters, retenClients, nudge } = input
  return [
    build(
      input,
      'deliveries',
      (connection, signal) => askProvider(adapters, connection, signal),
      () => nudge('deliver'),
    ),
    build(
      input,
      'reporting',
      (connection, signal) => askReten(retenClients, connection, signal),
      () => nudge('report'),
    ),
  ]
}

function build(
  { db, catalog, logger, worker }: ProbeServicesInput,
  side: ProbeTurn['side'],
  ask: ProbeTurn['ask'],
  onResumed: ProbeTurn['onResumed'],
): Service {
  const name = `probe-${side}`
  return createPeriodic({
    name,
    pattern: EVERY_5_SECONDS,
    logger,
    guard: () => takeTurn(db, { task: name, holder: worker, leaseSeconds: LEASE_SECONDS }),
    run: () => probeRefusedKeys({ db, catalog, logger, worker, side, ask, onResumed }),
  })
}
