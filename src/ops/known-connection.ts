import type { Db } from '../store/database.ts'
import { showConnection } from '../store/show-connection.ts'
import { queryError } from './validation.ts'

/**
 * Throws RCV_QUERY_INVALID where the filter `connection` names none: an empty page for a name with a typing error in it would pass
 * for good news.
 */
export async function refuseUnknownConnection(db: Db, name: string | undefined): Promise<void> {
  if (name === undefined || (await showConnection(db, name)) !== undefined) return
  throw queryError('connection', `names no connection: ${name}`)
}
