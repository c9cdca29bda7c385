import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../metrics.ts'
import { OPENMETRICS_TYPE, PROMETHEUS_TYPE, toOpenMetrics } from './open-metrics.ts'

/** Registers `GET /metrics`: Prometheus text, or OpenMetrics where the Accept header asks for it. Open to whoever reaches it. */
export function registerMetricsRoute(app: FastifyInstance, metrics: Pick<Metrics, 'expose'>): void {
  app.get('/metrics', async (request, reply) => {
    const text = await metrics.expose()
    if (!/application\/openmetrics-text/i.test(request.headers.accept ?? ''))
      return reply.type(PROMETHEUS_TYPE).send(text)
    return reply.type(OPENMETRICS_TYPE).send(toOpenMetrics(text))
  })
}
