// Deliveries with an adapter that the test writes: claimed from a real database, run as the worker runs them.
import type { Connection } from '../../src/connection.ts'
import { effectiveSettings } from '../../src/connection.ts'
import type { Adapter, AdapterCapabilities, DeliverCommand, LookupOutcome } from '../../src/deliver/adapters/adapter.ts'
import { deliverOne } from '../../src/deliver/deliver-one.ts'
import type { DeliverDeps } from '../../src/deliver/deliver-one.ts'
import type { Outcome } from '../../src/dispatch/outcome.ts'
import { createLogger } from '../../src/logger.ts'
import { createMetrics } from '../../src/metrics.ts'
import type { ConnectionSettings } from '../../src/schema-types.ts'
import type { ClaimedJob } from '../../src/store/claim-jobs.ts'
import type { Db } from '../../src/store/database.ts'
import { loadDeliveries } from '../../src/store/load-deliveries.ts'
import { systemClock } from '../../src/time.ts'
import { CONNECTION, claimOne } from '../support/ledger.ts'

type Deliver = (command: DeliverCommand, signal: AbortSignal) => Outcome | Promise<Outcome>
type Lookup = (command: DeliverCommand, signal: AbortSignal) => LookupOutcome | Promise<LookupOutcome>

/** What the provider does; every call is noted, in order. */
export interface Script {
  readonly idempotency?: AdapterCapabilities['idempotency']
  readonly deliver: Deliver
  readonly lookup?: Lookup
}

export interface ScriptedAdapter extends Adapter {
  readonly calls: { readonly what: 'deliver' | 'lookup'; readonly key: string }[]
}

export function createScriptedAdapter(script: Script): ScriptedAdapter {
  const { lookup } = script
  const calls: ScriptedAdapter['calls'] = []
  return {
    calls,
    provider: 'test',
    capabilities: { idempotency: script.idempotency ?? 'key', completion: 'webhook' },
    deliver: async (command, signal) => {
      calls.push({ what: 'deliver', key: command.idempotencyKey })
      return script.deliver(command, signal)
    },
    ...(lookup === undefined
      ? {}
      : {
          lookup: async (command: DeliverCommand, signal: AbortSignal) => {
            calls.push({ what: 'lookup', key: command.idempotencyKey })
            return lookup(command, signal)
          },
        }),
    close: () => Promise.resolve(),
  }
}

export function buildConnection(settings: ConnectionSettings = {}): Connection {
  return {
    name: CONNECTION,
    provider: 'test',
    origin: 'managed',
    state: 'active',
    stateReason: undefined,
    pausedBy: undefined,
    isOnTrial: false,
    reporting: { state: 'active', reason: undefined, isOnTrial: false },
    retenBaseUrl: undefined,
    retenApiKey: undefined,
    settings: effectiveSettings(settings),
    createdAt: new Date('2026-05-01T12:00:00.000Z'),
    providerSettings: {},
    providerSecrets: {},
    version: '2026-05-04T12:00:00.000Z',
  }
}

/** One line of the log. */
export type LogLine = Readonly<Record<string, unknown>>

export interface Bench {
  readonly adapter: ScriptedAdapter
  /** Log lines so far, oldest first. */
  readonly lines: LogLine[]
  /** What was nudged or announced, in order. */
  readonly told: string[]
  readonly metrics: ReturnType<typeof createMetrics>
  /** Claims the one delivery that is due and runs it to its end. */
  run(signal?: AbortSignal): Promise<void>
  /** Runs one that was claimed before. */
  runClaimed(
    job: ClaimedJob,
    signal?: AbortSignal,
    lease?: AbortSignal,
    /** What happens between the reading of its body and its run. */
    meanwhile?: () => Promise<void>,
  ): Promise<void>
}

export interface BenchOptions extends Script {
  readonly settings?: ConnectionSettings
  readonly deadlineMs?: number
}

/** Everything around one delivery, with a script for its provider. */
export function setUp(db: Db, options: BenchOptions): Bench {
  const adapter = createScriptedAdapter(options)
  const connection = buildConnection({ retry_delays: [20, 30], ...options.settings })
  const { logger, lines } = createListeningLogger()
  const told: string[] = []
  const metrics = createMetrics({ withNodeMetrics: false })
  const deps: DeliverDeps = {
    db,
    clock: systemClock,
    random: () => 0.5,
    logger,
    metrics,
    worker: 'worker-a',
    onReportDue: () => told.push('report due'),
    onCancelDue: () => told.push('cancel due'),
    onConnectionChanged: () => told.push('connection changed'),
    ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
  }
  const runClaimed: Bench['runClaimed'] = async (job, signal = neverAborted(), lease = neverAborted(), meanwhile) => {
    const delivery = (await loadDeliveries(db, [job.dispatchId])).get(job.dispatchId)
    await meanwhile?.()
    const row = await db
      .selectFrom('connections')
      .select('updated_at')
      .where('name', '=', CONNECTION)
      .executeTakeFirst()
    const current = { ...connection, version: row?.updated_at.toISOString() ?? connection.version }
    await deliverOne(deps, { job, connection: current, adapter, delivery, lease }, signal)
  }
  return { adapter, lines, told, metrics, runClaimed, run: async (signal) => runClaimed(await claimOne(db), signal) }
}

/** The signal of what nobody stops. */
export function neverAborted(): AbortSignal {
  return new AbortController().signal
}

/** A logger whose lines can be read. */
export function createListeningLogger() {
  const lines: LogLine[] = []
  const logger = createLogger({
    level: 'debug',
    isPretty: false,
    // Each line is an object: that is what the logger writes.
    destination: { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) },
  })
  return { logger, lines }
}

/** An answer that does not come before the call is given up; `onCalled` when the provider has begun. */
export function untilGivenUp(outcome: Outcome, onCalled: () => void = () => {}): Deliver {
  return (_command, signal) =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(outcome), { once: true })
      onCalled()
    })
}
