// The doctor for one connection of a running service.
import type { Config } from '../config.ts'
import { examineConnection } from '../doctor/connection-checks.ts'
import { toReport } from '../doctor/finding.ts'
import type { Report } from '../doctor/finding.ts'
import { AppError } from '../errors.ts'
import { createHttpClient } from '../http-client.ts'
import type { ConnectionCatalog } from '../store/connection-catalog.ts'
import type { Db } from '../store/database.ts'
import { systemClock } from '../time.ts'
import { openExaminedAdapter } from './open-examined-adapter.ts'

export interface ExamineDeps {
  readonly config: Pick<Config, 'environmentConnection' | 'secretsKeys'>
  readonly db: Db
  readonly catalog: Pick<ConnectionCatalog, 'get' | 'refresh'>
}

/** Examines a connection by its name, as it stands in the database now. Throws RCV_CONNECTION_NOT_FOUND, PostgreSQL's errors. */
export function buildExamine({ config, db, catalog }: ExamineDeps): (name: string) => Promise<Report> {
  return async (name) => {
    await catalog.refresh()
    const connection = catalog.get(name)
    if (connection === undefined)
      throw new AppError('RCV_CONNECTION_NOT_FOUND', `there is no connection ${name} in use`)
    // Connections of its own: those of the service have breakers in front that would answer for the other side.
    const http = createHttpClient()
    try {
      return toReport(
        await examineConnection({
          connection,
          config,
          db,
          http,
          clock: systemClock,
          openAdapter: openExaminedAdapter,
          publicUrl: undefined,
        }),
      )
    } finally {
      await http.close()
    }
  }
}
