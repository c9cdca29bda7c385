import t from 'tap'
import { createMetrics } from '../../src/metrics.ts'
import { toOpenMetrics } from '../../src/ops/open-metrics.ts'

void t.test('toOpenMetrics', async (t) => {
  const metrics = createMetrics({ withNodeMetrics: false })
  metrics.requests.inc({ route: '/activities', outcome: 'created', cause: 'none' })

  await t.test('names a counter without _total, and its samples with it', async (t) => {
    const lines = toOpenMetrics(await metrics.expose()).split('\n')

    t.ok(lines.includes('# TYPE reten_receiver_requests counter'))
    t.ok(lines.includes('reten_receiver_requests_total{route="/activities",outcome="created",cause="none"} 1'))
    t.notOk(lines.some((line) => line.startsWith('# ') && line.includes('requests_total')))
  })

  await t.test('leaves other types as they are and marks the end', async (t) => {
    const text = toOpenMetrics(await metrics.expose())

    t.match(text, /# TYPE reten_receiver_jobs gauge\n/)
    t.match(text, /# TYPE reten_receiver_ingest_duration_seconds histogram\n/)
    t.ok(text.endsWith('\n# EOF\n'))
    t.notMatch(text, /\n\n/)
  })

  await t.test('changes nothing about the next scrape in the older format', async (t) => {
    t.match(await metrics.expose(), /# TYPE reten_receiver_requests_total counter/)
  })
})
