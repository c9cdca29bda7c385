import { AppError } from '../errors.ts'

/** A listener that could not open, as one sentence that names the port; undefined for any other error. */
export function listenFault(error: unknown): AppError | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('port' in error)) return undefined
  const { code, port } = error
  if (code === 'EADDRINUSE') {
    return new AppError('RCV_CONFIG_INVALID', `port ${String(port)} is taken: choose another one`, {
      cause: error,
    })
  }
  if (code === 'EACCES') {
    return new AppError('RCV_CONFIG_INVALID', `port ${String(port)} may not be opened by this account`, {
      cause: error,
    })
  }
  return undefined
}
