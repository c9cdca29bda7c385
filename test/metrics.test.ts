import t from 'tap'
import { createMetrics } from '../src/metrics.ts'
import { SERVICE_VERSION } from '../src/version.ts'

const NAMES = [
  'requests_total counter',
  'ingest_duration_seconds histogram',
  'commit_batch_size histogram',
  'commit_duration_seconds histogram',
  'duplicates_total counter',
  'jobs gauge',
  'oldest_due_seconds gauge',
  'attempts_total counter',
  'attempt_duration_seconds histogram',
  'breaker_state gauge',
  'parked_dispatches gauge',
  'end_to_end_duration_seconds histogram',
  'results_total counter',
  'quarantined_total counter',
  'schema_drift_total counter',
  'unaccounted_dispatches gauge',
  'auth_failures_total counter',
  'key_used_total counter',
  'db_pool_waiting gauge',
  'service_fault gauge',
  'build_info gauge',
]

void t.test('createMetrics', async (t) => {
  await t.test('defines every metric under the prefix', async (t) => {
    const text = await createMetrics().expose()

    for (const name of NAMES) t.ok(text.includes(`# TYPE reten_receiver_${name}\n`), name)
  })

  await t.test("adds Node's own metrics under their usual names, unless told not to", async (t) => {
    t.match(await createMetrics().expose(), /^nodejs_eventloop_lag_seconds /m)
    t.notMatch(await createMetrics({ withNodeMetrics: false }).expose(), /nodejs_/)
  })

  await t.test('says which release runs on which Node', async (t) => {
    const text = await createMetrics({ withNodeMetrics: false }).expose()

    t.ok(text.includes(`build_info{version="${SERVICE_VERSION}",node="${process.versions.node}"} 1`))
  })

  await t.test('reads how many wait for a database connection at the moment of the scrape', async (t) => {
    const metrics = createMetrics({ withNodeMetrics: false })
    let waiting = 0
    metrics.watchPool(() => waiting)

    waiting = 3

    t.match(await metrics.expose(), /^reten_receiver_db_pool_waiting 3$/m)
  })

  await t.test('reads the breakers at the moment of the scrape, and says which number is which', async (t) => {
    const metrics = createMetrics({ withNodeMetrics: false })
    let state: 'closed' | 'half-open' | 'open' = 'closed'
    metrics.watchBreakers(() => [{ connection: 'acme', kind: 'deliver', state }])
    const values: unknown[] = []

    for (state of ['closed', 'half-open', 'open'] as const) {
      const text = await metrics.expose()
      values.push(/breaker_state\{connection="acme",kind="deliver"\} (\d)/.exec(text)?.[1])
      t.match(text, /# HELP reten_receiver_breaker_state .*0 closed.*1 half-open.*2 open/)
    }

    t.same(values, ['0', '1', '2'])
    metrics.watchBreakers(() => [])
    t.notMatch(await metrics.expose(), /breaker_state\{/)
  })

  await t.test('asks each part for its fault at the moment of the scrape', async (t) => {
    const metrics = createMetrics({ withNodeMetrics: false })
    let fault: string | undefined = 'not started'
    metrics.watchServices([
      { name: 'deliver', fault: () => undefined },
      { name: 'report', fault: () => fault },
    ])

    t.match(await metrics.expose(), /service_fault\{service="deliver"\} 0\n.*service_fault\{service="report"\} 1\n/s)
    fault = undefined

    t.match(await metrics.expose(), /service_fault\{service="report"\} 0\n/)
  })

  await t.test('keeps two sets of metrics apart', async (t) => {
    const one = createMetrics({ withNodeMetrics: false })
    const other = createMetrics({ withNodeMetrics: false })

    one.duplicates.inc({ kind: 'same' })

    t.match(await one.expose(), /duplicates_total\{kind="same"\} 1/)
    t.notMatch(await other.expose(), /duplicates_total\{/)
  })
})
