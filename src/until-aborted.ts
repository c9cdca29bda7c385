/**
 * What `shared` comes to, or `givenUp` as soon as `signal` aborts: for one of several callers that wait for the same work,
 * which goes on for the others. Rejects as `shared` does.
 */
export function untilAborted<T>(shared: Promise<T>, signal: AbortSignal, givenUp: T): Promise<T> {
  if (signal.aborted) return Promise.resolve(givenUp)
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(givenUp)
    const leave = (): void => signal.removeEventListener('abort', stop)
    signal.addEventListener('abort', stop, { once: true })
    shared.then(resolve, reject).finally(leave)
  })
}
