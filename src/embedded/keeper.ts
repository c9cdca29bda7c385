// The program of the keeper: a small process between the service and its PostgreSQL, in a session of its own. The service
// cannot promise to stop PostgreSQL, since kill -9 gives it no chance to; the keeper sees the channel to the service
// close, whatever closed it. Like the files in commands/, this is a program: it speaks for a process of its own.

import { AppError } from '../errors.ts'
import { keepServer } from './keep-server.ts'
import type { KeeperMessage, KeeperOrder } from './keeper-messages.ts'

const ownerGone = new AbortController()

// A service manager signals every process of the service at once; PostgreSQL must stay until the service has drained.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
process.once('disconnect', () => ownerGone.abort())
// start-keeper.ts alone starts this program, and sends an order.
process.once('message', (order: KeeperOrder) => void keep(order))

async function keep(order: KeeperOrder): Promise<void> {
  try {
    await keepServer({ order, ownerGone: ownerGone.signal, send })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const isOurs = error instanceof AppError && error.code === 'RCV_EMBEDDED_UNAVAILABLE'
    send({ kind: 'failed', code: isOurs ? 'RCV_EMBEDDED_UNAVAILABLE' : 'RCV_EMBEDDED_START', message })
  }
  if (process.connected) process.disconnect?.()
}

function send(message: KeeperMessage): void {
  // The owner may end at any moment; then nobody is left to tell, and `ownerGone` ends the work.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
}
