// A fresh database for each demo, on an embedded server of the demo's own: a demo never touches the data of "npm start".
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { startEmbeddedPostgres } from '../../embedded/start-embedded-postgres.ts'
import type { EmbeddedPostgres } from '../../embedded/start-embedded-postgres.ts'
import type { Logger } from '../../logger.ts'
import { openDatabase } from '../../store/database.ts'
import { migrate } from '../../store/migrate.ts'
import { recreateDatabase } from '../../store/recreate-database.ts'

export interface DemoDatabase {
  readonly url: string
  stop(): Promise<void>
}

// Demos that run at once in one clone; beyond that somebody forgot to end them.
const MAX_DEMOS = 10
const NAME_PREFIX = 'demo_'

/** Starts a server that no other demo uses and makes a database with all migrations on it; what earlier demos left there is dropped. */
export async function startDemoDatabase(logger: Logger): Promise<DemoDatabase> {
  const server = await startOwnServer(logger)
  const url = await recreateDatabase(server.url, NAME_PREFIX, `${NAME_PREFIX}${randomBytes(6).toString('hex')}`)
  const handle = openDatabase({ url, poolSize: 1, logger })
  try {
    await migrate(handle.db)
  } finally {
    await handle.close()
  }
  return { url, stop: () => server.stop() }
}

async function startOwnServer(logger: Logger): Promise<EmbeddedPostgres> {
  for (let number = 1; number < MAX_DEMOS; number += 1) {
    const suffix = number === 1 ? '' : `-${number}`
    const directory = fileURLToPath(new URL(`../../../.data/demo${suffix}`, import.meta.url))
    const server = await startEmbeddedPostgres({ directory, logger })
    if (server.isOwner) return server
  }
  return startEmbeddedPostgres({
    directory: fileURLToPath(new URL('../../../.data/demo-last', import.meta.url)),
    logger,
  })
}
