import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { serveSockets } from './local-server.ts'
import type { Scope } from './scope.ts'

/** A way to a server through a port of its own, that breaks as networks do. */
export interface BreakableWay {
  /** The server's address by this way. */
  readonly url: string
  /** What is sent from now on arrives nowhere, and nobody says so. */
  readonly silence: () => void
  /** Nothing arrives any more, in either direction, and nobody says so; what was sent meanwhile arrives after `restore`. */
  readonly stall: () => void
  /** What the server answers from now on arrives nowhere; what it is sent does. */
  readonly swallowAnswers: () => void
  /** Ends every connection in the middle of whatever it carries. */
  readonly cut: () => void
  /** Ends every connection and takes no more. */
  readonly close: () => void
  /** How many connections it refused so far. */
  readonly refusals: () => number
  /** All is well again, for connections that are opened from now on, and for those that were stalled. */
  readonly restore: () => void
}

/** Opens a way to the server at `url` that ends with the test. */
export async function openBreakableWay(t: Scope, url: string): Promise<BreakableWay> {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  const pairs = new Set<readonly [Socket, Socket]>()
  let state: 'open' | 'silent' | 'swallowing' | 'stalled' | 'closed' = 'open'
  let refusals = 0
  const origin = await serveSockets(t, (near) => {
    if (state === 'closed') {
      refusals += 1
      near.resetAndDestroy()
      return
    }
    sockets.add(near)
    const far = connect(Number(target.port), target.hostname)
    far.on('error', () => near.destroy())
    // A server that hangs up is heard of, unless nothing is heard at all.
    far.on('end', () => state === 'open' && near.end())
    const pair = [near, far] as const
    pairs.add(pair)
    near.on('close', () => {
      pairs.delete(pair)
      far.destroy()
    })
    near.on('data', (bytes) => state === 'silent' || far.write(bytes))
    far.on('data', (bytes) => state === 'silent' || state === 'swallowing' || near.write(bytes))
    if (state === 'stalled') for (const socket of pair) socket.pause()
  })
  const way = new URL(url)
  way.port = new URL(origin).port
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
    sockets.clear()
  }
  return {
    url: way.href,
    cut,
    silence: () => (state = 'silent'),
    stall: () => {
      state = 'stalled'
      for (const socket of [...pairs].flat()) socket.pause()
    },
    swallowAnswers: () => (state = 'swallowing'),
    close: () => {
      state = 'closed'
      cut()
    },
    refusals: () => refusals,
    restore: () => {
      state = 'open'
      for (const socket of [...pairs].flat()) socket.resume()
    },
  }
}
