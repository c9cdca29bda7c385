import type { Connection } from '../connection.ts'
import type { ConnectionCatalog } from '../store/connection-catalog.ts'
import { AppError } from '../errors.ts'
import type { KeptBody, Reread } from '../ops/replay-quarantined.ts'
import { acceptDispatch } from '../receive/accept-dispatch.ts'
import type { AcceptDeps } from '../receive/accept-dispatch.ts'

/** Errors that say that the body is at fault, not the moment. */
const UNREADABLE = new Set([
  'RCV_BODY_NOT_JSON',
  'RCV_BODY_NOT_OBJECT',
  'RCV_BODY_TOO_DEEP',
  'RCV_BODY_INVALID',
  'RCV_ACTIVITY_ID_MISSING',
])

/** An older body than the one that is delivered must not become the newer one by being read again. */
function keepingChanges(connection: Connection): Connection {
  return { ...connection, settings: { ...connection.settings, onChangedBody: 'keep' } }
}

/** Takes a kept body in like a push of its connection; it was kept before, so it is not put in quarantine a second time. */
export function buildAcceptAgain(
  inbox: AcceptDeps['inbox'],
  catalog: Pick<ConnectionCatalog, 'get'>,
): (kept: KeptBody) => Promise<Reread> {
  return async ({ connection: name, headers, body }) => {
    const connection = catalog.get(name)
    if (connection === undefined) throw new AppError('RCV_CONNECTION_NOT_FOUND', `there is no connection ${name}`)
    try {
      // Whatever type it was sent as: who replays it wants it read as JSON.
      const push = { connection: keepingChanges(connection), headers, body, contentType: 'application/json' }
      const acceptance = await acceptDispatch({ inbox, quarantine: async () => {} }, push)
      if (acceptance.kind === 'quarantined')
        return { kind: 'unreadable', code: acceptance.code, faults: acceptance.faults }
      const { dispatchId, activityId, receipt } = acceptance
      return { kind: 'received', dispatchId, activityId, isNew: receipt === 'new' }
    } catch (error) {
      if (!(error instanceof AppError) || !UNREADABLE.has(error.code)) throw error
      return { kind: 'unreadable', code: error.code, faults: error.details ?? [{ path: '', message: error.message }] }
    }
  }
}
