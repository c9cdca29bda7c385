import type { Connection } from './connection.ts'

/**
 * Why a connection is not compared with Reten's list, as a part of a sentence; undefined where it is. On the embedded database
 * only a connection that says so is: a laptop with a key of production must not deliver what production delivers.
 */
export function reasonNotReconciled(
  connection: Pick<Connection, 'fault' | 'settings' | 'retenBaseUrl' | 'retenApiKey'>,
  isEmbedded: boolean,
): string | undefined {
  const { reconcile, pullOnly } = connection.settings
  if (reconcile === false) return 'its settings say "reconcile": false'
  if (reconcile === undefined && !pullOnly && isEmbedded) {
    return 'on the embedded database only connections whose settings say "reconcile": true are compared'
  }
  if (connection.fault !== undefined) return connection.fault
  return connection.retenBaseUrl === undefined || connection.retenApiKey === undefined
    ? 'it has no key for Reten'
    : undefined
}
