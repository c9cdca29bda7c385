// How the options of `connections` are read. Values that are secret can come from a file, so that they stand in no shell history
// and no process list.
import { readFileSync } from 'node:fs'
import { InvalidArgumentError } from 'commander'
import { RETEN_ORIGINS } from '../environment-connection.ts'
import { AppError } from '../errors.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../time.ts'

/** Reads `name=value`; a value that is JSON is taken as such (`8`, `true`, `["CALL"]`), any other as text. */
export function readSetting(text: string, earlier: Record<string, unknown> = {}): Record<string, unknown> {
  const [name, value] = split(text)
  return { ...earlier, [name]: jsonOrText(value) }
}

/** Reads `name=value` or `name=@file`. */
export function readNamedSecret(text: string, earlier: Record<string, string> = {}): Record<string, string> {
  const [name, value] = split(text)
  return { ...earlier, [name]: readSecret(value) }
}

/** Reads a secret, or the file named after an `@`. */
export function readSecret(text: string): string {
  if (!text.startsWith('@')) return text
  try {
    return readFileSync(text.slice(1), 'utf8').trim()
  } catch (error) {
    throw new InvalidArgumentError(`the file cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const UNITS_MS: Readonly<Record<string, number>> = Object.freeze({ s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS })

/** Reads `90s`, `15m`, `24h` or `7d` as seconds. */
export function readDuration(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const unitMs = UNITS_MS[unit ?? '']
  if (count === undefined || unitMs === undefined) throw new InvalidArgumentError('write it like 90s, 15m, 24h or 7d')
  return (Number(count) * unitMs) / SECOND_MS
}

/** Reads the address Reten is to call: an origin, perhaps with a path in front of /activities, never with it. */
export function readPublicUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InvalidArgumentError('it is not an http or https address')
  }
  const url = text.replace(/\/+$/, '')
  if (url.endsWith('/activities'))
    throw new InvalidArgumentError('give it without /activities: Reten appends that itself')
  return url
}

/** Reten's origin from either option. Throws RCV_COMMAND_INVALID where both are given or the environment is unknown. */
export function pickRetenUrl(options: { retenEnvironment?: string; retenBaseUrl?: string }): string | undefined {
  const { retenEnvironment, retenBaseUrl } = options
  if (retenEnvironment === undefined) return retenBaseUrl
  if (retenBaseUrl !== undefined) {
    throw new AppError('RCV_COMMAND_INVALID', '--reten-environment and --reten-base-url are both given: keep one')
  }
  const origin = RETEN_ORIGINS[retenEnvironment]
  if (origin !== undefined) return origin
  const known = Object.keys(RETEN_ORIGINS).join(', ')
  throw new AppError('RCV_COMMAND_INVALID', `--reten-environment must be one of ${known}, not ${retenEnvironment}`)
}

function split(text: string): [name: string, value: string] {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('write it like name=value')
  return [text.slice(0, at), text.slice(at + 1)]
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text // most values are words and addresses
  }
}
