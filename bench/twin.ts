import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Connection } from '../src/connection.ts'
import { effectiveSettings } from '../src/connection.ts'
import { createLogger } from '../src/logger.ts'
import { createMetrics } from '../src/metrics.ts'
import { createPublicApp } from '../src/public-app.ts'
import { registerReceiveRoutes } from '../src/receive/routes.ts'

/** The service's public app with an inbox that forgets at once. */
export async function buildTwin(): Promise<{ app: FastifyInstance }> {
  const metrics = createMetrics()
  const logger = createLogger({ level: 'info', isPretty: false })
  const config = { trustProxy: false as const, maxBodyBytes: 1_048_576, rateLimitPerMinute: 0 }
  const { app, refuseFailedKey } = await createPublicApp({ config, logger, metrics })
  const expected = createHash('sha256')
    .update(process.env['DISPATCH_API_KEY'] ?? '')
    .digest('hex')
  const match = { connection: CONNECTION, keyId: 'bench' }
  registerReceiveRoutes(app, {
    metrics,
    refuseFailedKey,
    rateLimitPerMinute: 0,
    catalog: {
      get: () => CONNECTION,
      list: () => [CONNECTION],
      refresh: async () => {},
      fault: () => undefined,
      authenticate: async (key) => (createHash('sha256').update(key).digest('hex') === expected ? match : undefined),
    },
    inbox: { submit: async () => 'new' },
    quarantine: async () => {},
  })
  app.get('/readyz', async () => ({ status: 'ready' }))
  return { app }
}

const CONNECTION: Connection = {
  name: 'default',
  provider: 'mock',
  origin: 'environment',
  state: 'active',
  stateReason: undefined,
  retenBaseUrl: undefined,
  retenApiKey: undefined,
  settings: effectiveSettings({}),
  providerSettings: {},
  providerSecrets: {},
  version: '1',
}
