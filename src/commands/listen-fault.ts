import { AppError } from '../errors.ts'

/** A listener that could not open, as one sentence that names the port and its setting; undefined for any other error. */
export function listenFault(error: unknown, settingOf: (port: number) => string): AppError | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('port' in error)) return undefined
  const { code } = error
  const port = Number(error.port)
  if (code === 'EADDRINUSE') {
    return new AppError('RCV_CONFIG_INVALID', `port ${port} is taken: choose another one with ${settingOf(port)}`, {
      cause: error,
    })
  }
  if (code === 'EACCES') {
    return new AppError(
      'RCV_CONFIG_INVALID',
      `port ${port} may not be opened by this account: choose another one with ${settingOf(port)}`,
      {
        cause: error,
      },
    )
  }
  return undefined
}
