// Every metric of the service, in a registry of its own. The other parts get them as an argument and only count; what has to
// be read from the database is set by sample-database.ts, never at scrape time, so that a scrape cannot slow a busy database.
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import { SERVICE_VERSION } from './version.ts'

const PREFIX = 'reten_receiver_'

// Bounds in seconds, each list around what its step normally takes and up to the deadline that ends it.
const INGEST_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const COMMIT_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]
const ATTEMPT_BOUNDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
// From an answer in the provider's reply to a visit days later.
const END_TO_END_BOUNDS = [0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 3_600, 14_400, 43_200, 86_400, 259_200, 604_800]
const BATCH_BOUNDS = [1, 2, 4, 8, 16, 32, 64]

/** Counts up; every label must be given. */
export interface CounterMetric<Label extends string> {
  inc(labels: Readonly<Record<Label, string>>, by?: number): void
}

/** A distribution, per set of labels. Durations are in seconds. */
export interface LabeledHistogram<Label extends string> {
  observe(labels: Readonly<Record<Label, string>>, value: number): void
}

/** A distribution without labels. Durations are in seconds. */
export interface PlainHistogram {
  observe(value: number): void
}

/** A value that goes up and down, per set of labels. */
export interface GaugeMetric<Label extends string> {
  set(labels: Readonly<Record<Label, string>>, value: number): void
  /** Forgets every set of labels, before they are set anew. */
  reset(): void
}

/** One breaker as it is now; `kind` is what its tries are, `deliver` or `report`. */
export interface BreakerSample {
  readonly connection: string
  readonly kind: string
  readonly state: 'closed' | 'half-open' | 'open'
}

const BREAKER_VALUES = Object.freeze({ closed: 0, 'half-open': 1, open: 2 })

export interface Metrics {
  /** `route` is a route's pattern, never a path; `cause` an error code, or `none`. */
  readonly requests: CounterMetric<'route' | 'outcome' | 'cause'>
  readonly ingestDuration: PlainHistogram
  readonly commitBatchSize: PlainHistogram
  readonly commitDuration: PlainHistogram
  readonly duplicates: CounterMetric<'kind'>
  readonly jobs: GaugeMetric<'connection' | 'kind'>
  /** Age past due, 0 when nothing is late. */
  readonly oldestDue: GaugeMetric<'connection' | 'kind'>
  /** `code` is the outcome's code, or `none`. */
  readonly attempts: CounterMetric<'connection' | 'kind' | 'outcome' | 'code'>
  readonly attemptDuration: LabeledHistogram<'connection' | 'kind'>
  readonly parkedDispatches: GaugeMetric<'connection'>
  /** Commerces whose deliveries wait for one that failed, is parked or is tried later. */
  readonly blockedCommerces: GaugeMetric<'connection'>
  readonly resultsOverdue: GaugeMetric<'connection'>
  /** Received to reported. */
  readonly endToEndDuration: LabeledHistogram<'connection'>
  readonly results: CounterMetric<'connection' | 'outcome'>
  readonly quarantined: CounterMetric<'connection' | 'code'>
  /** Activities that never reached us and were taken from Reten's list. */
  readonly reconcileMissing: CounterMetric<'connection'>
  /** When the last comparison that came to its end did, over all instances; seconds since 1970. */
  readonly reconcileLastSuccess: GaugeMetric<'connection'>
  /** `change` is new, vanished or retyped. */
  readonly schemaDrift: CounterMetric<'connection' | 'change'>
  readonly unaccountedDispatches: { set(value: number): void }
  readonly authFailures: CounterMetric<'route'>
  /** `key` is the key's id, never the key. */
  readonly keyUsed: CounterMetric<'connection' | 'key'>
  /** Says how to read the breakers; read at scrape time, from memory. */
  watchBreakers(read: () => readonly BreakerSample[]): void
  /** Says how to read the number of requests that wait for a database connection; read at scrape time, from memory. */
  watchPool(waiting: () => number): void
  /** Says how to ask the parts that run for their faults; asked at scrape time, from memory. */
  watchServices(services: readonly { readonly name: string; fault(): string | undefined }[]): void
  /** All metrics in the Prometheus text format. */
  expose(): Promise<string>
}

export interface MetricsOptions {
  /** Default: package.json's. */
  readonly version?: string
  /** Whether Node's own metrics are collected too, under their usual names. Default true. */
  readonly withNodeMetrics?: boolean
}

/** Creates all metrics, each empty, in a registry that nobody else writes to. */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const registry = new Registry()
  if (options.withNodeMetrics ?? true) collectDefaultMetrics({ register: registry })
  const make = factories(registry)
  const build = make.gauge('build_info', 'Which release runs on which Node; always 1.', ['version', 'node'])
  build.set({ version: options.version ?? SERVICE_VERSION, node: process.versions.node }, 1)
  let waiting = (): number => 0
  make.computed('db_pool_waiting', 'Requests that wait for a database connection.', () => waiting())
  let readBreakers = (): readonly BreakerSample[] => []
  make.computedBy(
    'breaker_state',
    'Whether this process calls the destination: 0 closed (it does), 1 half-open (one try at a time), 2 open (its jobs wait).',
    ['connection', 'kind'],
    () => readBreakers().map(({ state, ...labels }) => ({ labels, value: BREAKER_VALUES[state] })),
  )
  let services: Parameters<Metrics['watchServices']>[0] = []
  make.computedBy('service_fault', 'Whether a part of the service is at fault: 1; /health says why.', ['service'], () =>
    services.map((service) => ({ labels: { service: service.name }, value: service.fault() === undefined ? 0 : 1 })),
  )
  return Object.freeze({
    ...receiveMetrics(make),
    ...jobMetrics(make),
    watchBreakers: (read: () => readonly BreakerSample[]) => {
      readBreakers = read
    },
    watchPool: (read: () => number) => {
      waiting = read
    },
    watchServices: (watched: typeof services) => {
      services = watched
    },
    expose: () => registry.metrics(),
  })
}

function receiveMetrics(make: Factories) {
  return {
    requests: make.counter('requests_total', 'Requests by route, outcome and cause of a refusal.', [
      'route',
      'outcome',
      'cause',
    ]),
    ingestDuration: make.plain('ingest_duration_seconds', 'From a dispatch request to its answer.', INGEST_BOUNDS),
    commitBatchSize: make.plain('commit_batch_size', 'Dispatches stored by one statement.', BATCH_BOUNDS),
    commitDuration: make.plain('commit_duration_seconds', 'Time to store one batch.', COMMIT_BOUNDS),
    duplicates: make.counter('duplicates_total', 'Dispatches that came again.', ['kind']),
    quarantined: make.counter('quarantined_total', 'Bodies that could not be read as an activity.', [
      'connection',
      'code',
    ]),
    schemaDrift: make.counter('schema_drift_total', "Changes in the fields of Reten's bodies, each once.", [
      'connection',
      'change',
    ]),
    authFailures: make.counter('auth_failures_total', 'Requests with a missing or unknown key.', ['route']),
    keyUsed: make.counter('key_used_total', 'Requests by the key they came with.', ['connection', 'key']),
  }
}

function jobMetrics(make: Factories) {
  const kinds = ['connection', 'kind'] as const
  return {
    jobs: make.gauge('jobs', 'Jobs that are not done.', kinds),
    oldestDue: make.gauge('oldest_due_seconds', 'How long the oldest due job is past due; 0 when none is.', kinds),
    attempts: make.counter('attempts_total', 'Tries at jobs by outcome.', [...kinds, 'outcome', 'code']),
    attemptDuration: make.labeled('attempt_duration_seconds', 'Time one try took.', kinds, ATTEMPT_BOUNDS),
    parkedDispatches: make.gauge('parked_dispatches', 'Dispatches that wait for a person.', ['connection']),
    resultsOverdue: make.gauge('results_overdue', 'Dispatches whose result the provider owes for too long.', [
      'connection',
    ]),
    blockedCommerces: make.gauge(
      'blocked_commerces',
      'Commerces whose deliveries wait for one that failed, is parked or is tried later.',
      ['connection'],
    ),
    endToEndDuration: make.labeled(
      'end_to_end_duration_seconds',
      'From a dispatch received to its final result reported.',
      ['connection'],
      END_TO_END_BOUNDS,
    ),
    results: make.counter('results_total', 'Results by what became of reporting them.', ['connection', 'outcome']),
    reconcileMissing: make.counter(
      'reconcile_missing_total',
      "Activities that never reached us and were taken from Reten's list.",
      ['connection'],
    ),
    reconcileLastSuccess: make.gauge(
      'reconcile_last_success_timestamp_seconds',
      'When the last comparison with Reten that came to its end did; 0 where none did yet.',
      ['connection'],
    ),
    unaccountedDispatches: make.number('unaccounted_dispatches', 'Rows nothing carries on: 0, or an alarm.'),
  }
}

type Factories = ReturnType<typeof factories>

function factories(registry: Registry) {
  const registers = [registry]
  return {
    counter: <L extends string>(name: string, help: string, labelNames: readonly L[]): CounterMetric<L> =>
      new Counter({ name: PREFIX + name, help, labelNames: [...labelNames], registers }),
    gauge: <L extends string>(name: string, help: string, labelNames: readonly L[]): GaugeMetric<L> =>
      new Gauge({ name: PREFIX + name, help, labelNames: [...labelNames], registers }),
    number: (name: string, help: string): { set(value: number): void } =>
      new Gauge({ name: PREFIX + name, help, registers }),
    computed: (name: string, help: string, read: () => number): void => {
      const collect = function (this: Gauge): void {
        this.set(read())
      }
      void new Gauge({ name: PREFIX + name, help, registers, collect })
    },
    computedBy: <L extends string>(
      name: string,
      help: string,
      labelNames: readonly L[],
      read: () => readonly { readonly labels: Readonly<Record<L, string>>; readonly value: number }[],
    ): void => {
      const collect = function (this: Gauge<L>): void {
        this.reset()
        for (const { labels, value } of read()) this.set(labels, value)
      }
      void new Gauge({ name: PREFIX + name, help, labelNames: [...labelNames], registers, collect })
    },
    plain: (name: string, help: string, buckets: number[]): PlainHistogram =>
      new Histogram({ name: PREFIX + name, help, buckets, registers }),
    labeled: <L extends string>(
      name: string,
      help: string,
      labelNames: readonly L[],
      buckets: number[],
    ): LabeledHistogram<L> =>
      new Histogram({ name: PREFIX + name, help, labelNames: [...labelNames], buckets, registers }),
  }
}
