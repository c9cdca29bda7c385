import { createServer } from 'node:net'

/**
 * A port of 127.0.0.1 that nobody listens on at this moment: `preferred` when it is free, else any. Another process may
 * take it before the caller does.
 */
export async function findFreePort(preferred = 0): Promise<number> {
  return (await tryPort(preferred)) ?? (await tryPort(0)) ?? 0
}

/** Whether nobody listens on this port of 127.0.0.1 at this moment. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await tryPort(port)) !== undefined
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ port, host: '127.0.0.1' }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined))
    })
  })
}
