// Connections through the admin API.
import type { FastifyInstance } from 'fastify'
import type { ConnectionState } from '../connection.ts'
import type { Report } from '../doctor/finding.ts'
import { countJobs, listConnections } from '../store/show-connection.ts'
import { authorOf } from './authorize.ts'
import type { ConnectionChange, ConnectionInput } from './connection-input.ts'
import { ARCHIVE_QUERY, CONNECTIONS_QUERY, CONNECTION_CHANGE, NEW_CONNECTION, PAUSE } from './connection-schemas.ts'
import { showConnectionRow } from './connection-view.ts'
import type { ViewConfig } from './connection-view.ts'
import {
  addConnection,
  archiveConnection,
  editConnection,
  getConnection,
  pauseConnection,
  resumeConnection,
} from './connections.ts'
import type { ConnectionDeps } from './connections.ts'

export interface ConnectionRouteDeps extends ConnectionDeps {
  readonly config: ConnectionDeps['config'] & ViewConfig
  /** Wakes this process's workers: a resumed connection has work that waited. */
  nudge(kind: 'deliver' | 'report'): void
  /** What `npm run doctor` says of one connection. Throws RCV_CONNECTION_NOT_FOUND. */
  examine(name: string): Promise<Report>
}

interface ByName {
  readonly Params: { readonly name: string }
}

/** Registers the routes below `/admin/connections`, those for keys excepted. */
export function registerConnectionRoutes(app: FastifyInstance, deps: ConnectionRouteDeps): void {
  const show = async (name: string) => showConnectionRow(await getConnection(deps.db, name), deps.config)

  app.get<{ Querystring: { state?: ConnectionState } }>(
    '/connections',
    { config: { role: 'viewer' }, schema: { querystring: CONNECTIONS_QUERY } },
    async (request) => {
      const rows = await listConnections(deps.db, { state: request.query.state })
      // All at once: an installation has tens of connections, and whoever manages them wants them all.
      return {
        data: rows.map((row) => showConnectionRow(row, deps.config)),
        meta: { limit: rows.length, next_cursor: null },
      }
    },
  )

  app.get<ByName>('/connections/:name', { config: { role: 'viewer' } }, async (request) => show(request.params.name))

  app.post<{ Body: ConnectionInput }>('/connections', { schema: { body: NEW_CONNECTION } }, async (request, reply) => {
    await addConnection(deps, request.body, authorOf(request))
    return reply.code(201).send(await show(request.body.name))
  })

  app.patch<ByName & { Body: ConnectionChange }>(
    '/connections/:name',
    { schema: { body: CONNECTION_CHANGE } },
    async (request) => {
      await editConnection(deps, request.params.name, request.body, authorOf(request))
      deps.nudge('report') // a result may have waited for this
      return show(request.params.name)
    },
  )

  app.delete<ByName & { Querystring: { reason?: string } }>(
    '/connections/:name',
    { schema: { querystring: ARCHIVE_QUERY } },
    async (request) => {
      const { name } = request.params
      await archiveConnection(deps, name, request.query.reason, authorOf(request))
      return { ...(await show(name)), waitingJobs: await countJobs(deps.db, name) }
    },
  )

  app.post<ByName & { Body: { reason: string } }>(
    '/connections/:name/pause',
    { schema: { body: PAUSE } },
    async (request) => {
      await pauseConnection(deps, request.params.name, request.body.reason, authorOf(request))
      return show(request.params.name)
    },
  )

  app.post<ByName>('/connections/:name/resume', async (request) => {
    await resumeConnection(deps, request.params.name, authorOf(request))
    deps.nudge('deliver')
    deps.nudge('report')
    return show(request.params.name)
  })

  // An admin's, like the keys it tries; 200 whatever it finds, since the question was answered.
  app.post<ByName>('/connections/:name/check', async (request) => deps.examine(request.params.name))
}
