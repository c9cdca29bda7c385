import { AppError } from '../errors.ts'

/** Where a listener was to open, and by which settings. */
export interface ListenTarget {
  readonly portSetting: string
  /** Where the address can be chosen. */
  readonly address?: { readonly host: string; readonly setting: string }
}

/** Codes of an address that is not this machine's, or is no address at all. */
const WRONG_ADDRESS_CODES: ReadonlySet<unknown> = new Set(['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EINVAL'])

/** A listener that could not open, as one sentence that names the setting to change; undefined for any other error. */
export function listenFault(error: unknown, { portSetting, address }: ListenTarget): AppError | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const { code } = error
  const fault = (sentence: string): AppError => new AppError('RCV_CONFIG_INVALID', sentence, { cause: error })
  if (address !== undefined && WRONG_ADDRESS_CODES.has(code)) {
    return fault(`${address.host} is no address of this machine (${String(code)}): correct ${address.setting}`)
  }
  if (!('port' in error)) return undefined
  const port = Number(error.port)
  if (code === 'EADDRINUSE') return fault(`port ${port} is taken: choose another one with ${portSetting}`)
  if (code === 'EACCES') {
    return fault(`port ${port} may not be opened by this account: choose another one with ${portSetting}`)
  }
  return undefined
}
