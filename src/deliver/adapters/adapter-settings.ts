// Checks what a connection's settings and secrets say about its adapter, and names every fault at once.
import { AppError } from '../../errors.ts'
import type { Fault } from '../../errors.ts'
import type { AdapterInput } from './adapter.ts'

/** Reads settings one by one, remembering what is wrong with them; `finish` throws when anything was. */
export interface SettingsReader {
  /** An http(s) URL without user, password or fragment, without a trailing slash. `''` after a fault. */
  url(name: string): string
  /** A path that starts with a slash, without query; `fallback` where absent. */
  path(name: string, fallback: string): string
  /** One of `words`; `fallback` where absent. */
  word<const W extends string>(name: string, words: readonly W[], fallback: W): W
  /** A whole number within bounds; `fallback` where absent. */
  integer(name: string, bounds: { readonly min: number; readonly max: number }, fallback: number): number
  /** A secret that can stand in an HTTP header, or undefined where absent. */
  secret(name: string): string | undefined
  /** Notes a fault found by the adapter itself. */
  fault(path: string, message: string): void
  /** Throws RCV_ADAPTER_SETTINGS with every fault, those of unknown settings included. */
  finish(): void
}

/** Printable ASCII without spaces: what an HTTP header carries unchanged. A stray line end is the usual guest. */
const HEADER_SAFE = /^[\x21-\x7e]+$/

/** Reads the settings of `input` for `provider`, which names the adapter in the error's sentence. */
export function createSettingsReader(provider: string, input: AdapterInput): SettingsReader {
  const { settings, secrets } = input
  const faults: Fault[] = []
  const known = new Set<string>()
  const fault = (path: string, message: string): void => void faults.push({ path, message })
  const take = (name: string): unknown => {
    known.add(name)
    return settings[name] ?? undefined
  }

  return {
    fault,
    url(name) {
      const value = take(name)
      const checked = checkUrl(value)
      if (checked.fault !== undefined) fault(name, checked.fault)
      return checked.url
    },
    path(name, fallback) {
      const value = take(name) ?? fallback
      if (typeof value === 'string' && /^\/[^\s?#]*$/.test(value)) return value.replace(/\/+$/, '')
      fault(name, `must be a path that starts with a slash and has no query, not ${show(value)}`)
      return fallback
    },
    word(name, words, fallback) {
      const value = take(name) ?? fallback
      const found = words.find((word) => word === value)
      if (found === undefined) fault(name, `must be one of ${words.join(', ')}, not ${show(value)}`)
      return found ?? fallback
    },
    integer(name, { min, max }, fallback) {
      const value = take(name) ?? fallback
      if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
      fault(name, `must be a whole number from ${min} to ${max}, not ${show(value)}`)
      return fallback
    },
    secret(name) {
      const value = secrets[name]
      if (value === undefined || value === '') return undefined
      if (!HEADER_SAFE.test(value)) fault(name, 'holds a space, a line end or a character that is not ASCII')
      return value
    },
    finish() {
      for (const name of Object.keys(settings)) if (!known.has(name)) fault(name, 'is not known')
      if (faults.length === 0) return
      const sentence = faults.map(({ path, message }) => `${path} ${message}`).join('; ')
      throw new AppError('RCV_ADAPTER_SETTINGS', `adapter ${provider} of connection ${input.connection}: ${sentence}`, {
        details: faults,
      })
    },
  }
}

function checkUrl(value: unknown): { readonly url: string; readonly fault?: string } {
  if (value === undefined) return { url: '', fault: 'is required' }
  const parsed = typeof value === 'string' ? URL.parse(value) : null
  if (parsed === null || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
    return { url: '', fault: 'must be an http or https URL' }
  }
  // They would be shown wherever the URL is; there are secrets for that.
  if (parsed.username !== '' || parsed.password !== '') return { url: '', fault: 'must not hold a user or a password' }
  if (parsed.hash !== '') return { url: '', fault: 'must not hold a fragment' }
  return { url: parsed.href.replace(/\/+$/, '') }
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value)
}
