import type { AdapterCapabilities, AdapterInput } from './adapter.ts'
import { createSettingsReader } from './adapter-settings.ts'
import { YOM_CANCELS, YOM_COMPLETIONS, YOM_IDEMPOTENCIES, YOM_TASK_PATH } from './yom-assumptions.ts'
import type { YomCancelWay, YomIdempotency } from './yom-assumptions.ts'

export type YomCredentials =
  | { readonly kind: 'api_key'; readonly apiKey: string }
  | { readonly kind: 'client'; readonly clientId: string; readonly clientSecret: string }

export interface YomSettings {
  /** Without a trailing slash. */
  readonly baseUrl: string
  readonly taskPath: string
  readonly idempotency: YomIdempotency
  readonly completion: Extract<AdapterCapabilities['completion'], 'webhook' | 'none'>
  readonly cancel: YomCancelWay
  readonly timeoutMs: number
  readonly credentials: YomCredentials
}

/** Longer than a creation should ever take, short enough that a worker's lease need not be minutes. */
const DEFAULT_TIMEOUT_MS = 15_000
/** Below what a delivery may take in all (50 s), which is below a worker's lease: the settings never promise what is cut short. */
const TIMEOUT_BOUNDS_MS = { min: 100, max: 45_000 } as const

/** Reads and checks a connection's settings for YOM. Throws RCV_ADAPTER_SETTINGS with every fault found. */
export function readYomSettings(input: AdapterInput): YomSettings {
  const reader = createSettingsReader('yom', input)
  const apiKey = reader.secret('api_key')
  const clientId = reader.secret('client_id')
  const clientSecret = reader.secret('client_secret')
  const settings = {
    baseUrl: reader.url('base_url'),
    taskPath: reader.path('task_path', YOM_TASK_PATH),
    idempotency: reader.word('idempotency', YOM_IDEMPOTENCIES, 'key'),
    completion: reader.word('completion', YOM_COMPLETIONS, 'webhook'),
    cancel: reader.word('cancel', YOM_CANCELS, 'none'),
    timeoutMs: reader.integer('timeout_ms', TIMEOUT_BOUNDS_MS, DEFAULT_TIMEOUT_MS),
  }
  if (settings.baseUrl.includes('?')) reader.fault('base_url', 'must not hold a query')

  let credentials: YomCredentials = { kind: 'api_key', apiKey: apiKey ?? '' }
  if (apiKey !== undefined && (clientId !== undefined || clientSecret !== undefined)) {
    reader.fault('api_key', 'stands beside client_id or client_secret: one way to sign in, not both')
  } else if (apiKey === undefined && clientId === undefined && clientSecret === undefined) {
    reader.fault('api_key', 'is required, or client_id and client_secret')
  } else if (apiKey === undefined) {
    if (clientId === undefined) reader.fault('client_id', 'is required beside client_secret')
    if (clientSecret === undefined) reader.fault('client_secret', 'is required beside client_id')
    credentials = { kind: 'client', clientId: clientId ?? '', clientSecret: clientSecret ?? '' }
  }
  reader.finish()
  return { ...settings, credentials }
}
