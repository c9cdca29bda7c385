// What a service and the keeper of its server say to each other over the channel between them.

import type { BinariesOptions } from './prepare-binaries.ts'

/** The service's only message: what to keep. Its end, in whatever way, is the channel's end. */
export interface KeeperOrder extends BinariesOptions {
  readonly isThrowaway: boolean
  readonly ownerPid: number
}

/**
 * The keeper's messages:
 *
 * - `started`: our server accepts connections, also after a restart that became necessary;
 * - `shared`: another process's server does, and this keeper ends;
 * - `crashed`: our server ended by itself and is being started again;
 * - `failed`: there is no server, and this keeper ends.
 */
export type KeeperMessage =
  | { readonly kind: 'started'; readonly port: number }
  | { readonly kind: 'shared'; readonly port: number }
  | { readonly kind: 'crashed'; readonly exitCode: number }
  | {
      readonly kind: 'failed'
      readonly code: 'RCV_EMBEDDED_UNAVAILABLE' | 'RCV_EMBEDDED_START'
      readonly message: string
    }
