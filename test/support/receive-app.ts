// The receiving side as a running service has it: public app, inbox, catalog and a database of its own.
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import type { Config } from '../../src/config.ts'
import { createLogger } from '../../src/logger.ts'
import { createMetrics } from '../../src/metrics.ts'
import type { Metrics } from '../../src/metrics.ts'
import { createPublicApp } from '../../src/public-app.ts'
import { createInbox } from '../../src/receive/inbox.ts'
import type { Inbox, InboxDeps } from '../../src/receive/inbox.ts'
import { registerReceiveRoutes } from '../../src/receive/routes.ts'
import { createConnectionCatalog } from '../../src/store/connection-catalog.ts'
import type { ConnectionCatalog } from '../../src/store/connection-catalog.ts'
import type { Db } from '../../src/store/database.ts'
import { insertDispatches } from '../../src/store/insert-dispatches.ts'
import { ensureDayPartitions } from '../../src/store/partitions.ts'
import { quarantineBody } from '../../src/store/quarantine-body.ts'
import { recordRepeat } from '../../src/store/record-repeat.ts'
import { addConnection, KEY } from './connections.ts'
import { openTestDatabase } from './open-test-database.ts'

/** What a receiver is built from; every default is what most tests want. */
export interface ReceiverOptions {
  /** Another instance's database; default: one of its own with the connection `acme`. */
  readonly url?: string
  /** Settings of the connection `acme`. */
  readonly settings?: Readonly<Record<string, unknown>>
  readonly config?: Partial<Pick<Config, 'trustProxy' | 'maxBodyBytes' | 'rateLimitPerMinute'>>
  readonly environmentConnection?: Config['environmentConnection']
  /** Replaces steps of the inbox, e.g. by one that waits for the test. */
  readonly inbox?: (deps: InboxDeps) => Partial<InboxDeps>
}

/** One log line as it was written. */
export type LogLine = Readonly<Record<string, unknown>>

export interface Receiver {
  readonly app: FastifyInstance
  readonly db: Db
  readonly url: string
  readonly catalog: ConnectionCatalog
  readonly inbox: Inbox
  readonly metrics: Metrics
  /** Everything logged so far. */
  readonly log: readonly LogLine[]
  /** Resolves with the first line of an event, logged already or not yet. */
  logged(event: string): Promise<LogLine>
  /** Pushes a body as Reten does. Text and bytes travel as they are, anything else as JSON. */
  push(body: unknown, headers?: Readonly<Record<string, string | undefined>>): Promise<LightMyRequestResponse>
}

/** Builds a receiver that ends with `t`. */
export async function createReceiver(t: Test, options: ReceiverOptions = {}): Promise<Receiver> {
  const { db, url } = await openTestDatabase(t, options.url)
  if (options.url === undefined) await addConnection(db, { settings: options.settings })
  const log: LogLine[] = []
  const watchers = new Set<() => void>()
  const write = (text: string): void => {
    log.push(JSON.parse(text) as LogLine) // one line of our own JSON each
    for (const look of watchers) look()
  }
  const destination = { write }
  const logger = createLogger({ level: 'debug', isPretty: false, destination })
  const metrics = createMetrics({ withNodeMetrics: false })
  const config = { trustProxy: false as const, maxBodyBytes: 1_048_576, rateLimitPerMinute: 0, ...options.config }
  const { environmentConnection } = options
  const catalog = createConnectionCatalog({ db, config: { environmentConnection, secretsKeys: [] }, logger })
  await catalog.refresh()
  const steps: InboxDeps = {
    insert: (rows) => insertDispatches(db, rows),
    recordRepeat: (repeat) => recordRepeat(db, repeat),
    ensurePartitions: () => ensureDayPartitions(db),
    onCommitted: () => {},
    observeBatch: (rows) => metrics.commitBatchSize.observe(rows),
  }
  const inbox = createInbox({ ...steps, ...options.inbox?.(steps) })
  const { app, refuseFailedKey } = await createPublicApp({ config, logger, metrics })
  t.teardown(async () => {
    await app.close()
    await inbox.close()
  })
  registerReceiveRoutes(app, {
    inbox,
    catalog,
    metrics,
    refuseFailedKey,
    quarantine: (unreadable) => quarantineBody(db, unreadable),
    rateLimitPerMinute: config.rateLimitPerMinute,
  })
  await app.ready()
  const push: Receiver['push'] = (body, headers = {}) => {
    const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
    const all = { 'x-api-key': KEY, 'content-type': 'application/json', ...headers }
    const given = Object.fromEntries(Object.entries(all).filter((entry) => entry[1] !== undefined))
    return app.inject({ method: 'POST', url: '/activities', headers: given, payload })
  }
  const logged: Receiver['logged'] = (event) =>
    new Promise((resolve) => {
      const look = (): void => {
        const line = log.find((written) => written['event'] === event)
        if (line !== undefined) resolve(line)
      }
      watchers.add(look)
      look()
    })
  return { app, db, url, catalog, inbox, metrics, log, logged, push }
}
