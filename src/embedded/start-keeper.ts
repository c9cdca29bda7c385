import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AppError } from '../errors.ts'
import type { KeeperMessage, KeeperOrder } from './keeper-messages.ts'
import { logFileOf } from './server-process.ts'

/** A running keeper, seen from the service. */
export interface Keeper {
  /** The first news: a server is there. Rejects with the keeper's error, or `RCV_EMBEDDED_START` when it just ended. */
  readonly ready: Promise<{ readonly port: number; readonly isOwner: boolean }>
  /** Resolves when the keeper, and with it the server, is gone; never rejects. */
  readonly exited: Promise<void>
  /** Calls back for every message after the first. */
  onNews(listener: (message: KeeperMessage) => void): void
  /** Lets the service's process end while the keeper runs. */
  unref(): void
  /** Ends the channel: the keeper stops the server and exits. May be called again. */
  release(): void
}

/**
 * Starts a keeper and gives it its order. It lives in a session of its own, so that Ctrl-C in the service's terminal
 * does not reach PostgreSQL before the service has drained.
 */
export function startKeeper(order: KeeperOrder): Keeper {
  const log = openSync(logFileOf(order.home), 'a', 0o600)
  const child = spawn(process.execPath, [fileURLToPath(new URL('keeper.ts', import.meta.url))], {
    // No NODE_OPTIONS, no secrets; Windows cannot start a program without its own variables. Keeping the compiled code
    // halves the keeper's start, from 120 to 60 ms.
    ...(process.platform === 'win32' ? {} : { env: { NODE_COMPILE_CACHE: join(order.home.path, 'compiled') } }),
    cwd: order.home.path,
    detached: true,
    stdio: ['ignore', 'ignore', log, 'ipc'],
    windowsHide: true,
  })
  closeSync(log)
  // Both, since its last message may still be on its way when it has exited.
  const exited = Promise.all([eventOrError(child, 'exit'), eventOrError(child, 'disconnect')]).then(() => undefined)
  const ready = new Promise<{ port: number; isOwner: boolean }>((resolve, reject) => {
    // keeper.ts alone is at the other end of this channel.
    child.once('message', (message: KeeperMessage) => {
      if (message.kind === 'failed') reject(new AppError(message.code, message.message))
      else if (message.kind !== 'crashed') resolve({ port: message.port, isOwner: message.kind === 'started' })
    })
    void exited.then(() => reject(endedEarly(order)))
  })
  child.send(order, () => undefined)
  return {
    ready,
    exited,
    onNews: (listener) => child.on('message', listener),
    unref: () => {
      child.unref()
      child.channel?.unref()
    },
    release: () => {
      child.ref()
      if (child.connected) child.disconnect()
    },
  }
}

function eventOrError(child: ChildProcess, event: 'exit' | 'disconnect'): Promise<void> {
  return new Promise((resolve) => {
    child.once(event, () => resolve())
    child.once('error', () => resolve())
  })
}

function endedEarly(order: KeeperOrder): AppError {
  const message = `the keeper of the embedded PostgreSQL ended before its server was up; see ${logFileOf(order.home)}`
  return new AppError('RCV_EMBEDDED_START', message)
}
