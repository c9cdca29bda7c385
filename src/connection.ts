// One tenant at one provider, as the running service sees it.
import { AppError } from './errors.ts'
import { compileSchema } from './schemas.ts'
import type { ConnectionSettings } from './schema-types.ts'

/** Settings with nothing left to decide; see schemas/connection-settings.json for their meaning. */
export interface EffectiveSettings {
  readonly channels: readonly string[] | undefined
  readonly maxInFlight: number
  /** Over all instances; undefined: no limit. */
  readonly ratePerSecond: number | undefined
  readonly retryDelaysSeconds: readonly number[] | undefined
  /** `commerce`: one after another per commerce, over all instances. */
  readonly ordering: 'none' | 'commerce'
  /** How long the provider may say nothing of a dispatch after it was delivered, or was to be done. */
  readonly resultOverdueAfterSeconds: number
  readonly onUnreadable: 'accept' | 'refuse'
  readonly onChangedBody: 'keep' | 'redeliver'
  readonly fieldPaths: ConnectionSettings['field_paths']
  /** Undefined: where the database is not the embedded one. */
  readonly reconcile: boolean | undefined
  /** Undefined: when the connection was added. */
  readonly reconcileFrom: string | undefined
  readonly pullOnly: boolean
  /** The provider's result codes and Reten's for them; a code that is not among them is Reten's already. */
  readonly resultMap: Readonly<Record<string, string>>
  /** Reten is told of a delivery by a PENDING result with this code; undefined: it is not. */
  readonly acknowledgementCode: string | undefined
  /** What Reten is told, as NOT_EFFECTIVE, when a delivery is given up; undefined: nothing. */
  readonly onGiveUp: GiveUpResult | undefined
}

export interface GiveUpResult {
  readonly code: string
  /** Undefined: the reason code of the failure. */
  readonly externalStatus: string | undefined
}

export type ConnectionState = 'active' | 'paused' | 'archived'

export interface Reporting {
  readonly state: 'active' | 'paused'
  readonly reason: string | undefined
  /** As for deliveries. */
  readonly isOnTrial: boolean
}

export interface Connection {
  readonly name: string
  readonly provider: string
  readonly origin: 'environment' | 'managed'
  readonly state: ConnectionState
  readonly stateReason: string | undefined
  /** `service`: the provider refused our key, and the pause ends by itself once it does not. */
  readonly pausedBy: 'service' | 'operator' | undefined
  /** The provider refused our key before and has taken nothing since: one delivery at a time, until it takes one. */
  readonly isOnTrial: boolean
  /** Whether Reten is told; only the service pauses it, where Reten refuses our key. */
  readonly reporting: Reporting
  readonly retenBaseUrl: string | undefined
  readonly retenApiKey: string | undefined
  readonly settings: EffectiveSettings
  readonly createdAt: Date
  readonly providerSettings: Readonly<Record<string, unknown>>
  readonly providerSecrets: Readonly<Record<string, string>>
  /** Why it cannot deliver or report: a secret that does not open, a setting nobody knows. It receives all the same. */
  readonly fault?: string | undefined
  /** Changes whenever anything above but the state does: clients built from a connection are kept per version. */
  readonly version: string
}

// Slow for providers nobody knows yet; raised per connection once the provider says what it takes.
const DEFAULT_MAX_IN_FLIGHT = 4

// A visit that is made on the next working day is told of on the one after.
const DEFAULT_RESULT_OVERDUE_SECONDS = 172_800

let check: ReturnType<typeof compileSchema<ConnectionSettings>> | undefined

/** Checks stored or entered settings. Throws RCV_REQUEST_INVALID with one entry for the first fault. */
export function checkSettings(value: unknown): ConnectionSettings {
  check ??= compileSchema<ConnectionSettings>('connection-settings')
  const checked = check(value)
  if (checked.ok) return checked.value
  const [fault] = checked.faults
  throw new AppError('RCV_REQUEST_INVALID', `settings${fault?.path ?? ''} ${fault?.message ?? 'are wrong'}`, {
    details: checked.faults,
  })
}

/**
 * The settings that can be understood, key by key, for a connection whose settings as a whole cannot: where its bodies hold
 * what must not be forgotten because of another setting's fault.
 */
export function understoodSettings(value: unknown): ConnectionSettings {
  check ??= compileSchema<ConnectionSettings>('connection-settings')
  if (typeof value !== 'object' || value === null) return {}
  const understood: Record<string, unknown> = {}
  for (const [key, one] of Object.entries(value)) if (check({ [key]: one }).ok) understood[key] = one
  return checkSettings(understood)
}

/** Settings with defaults filled in. */
export function effectiveSettings(settings: ConnectionSettings): EffectiveSettings {
  return Object.freeze({
    channels: settings.channels,
    maxInFlight: settings.max_in_flight ?? DEFAULT_MAX_IN_FLIGHT,
    ratePerSecond: settings.rate_per_second,
    retryDelaysSeconds: settings.retry_delays,
    ordering: settings.ordering ?? 'none',
    resultOverdueAfterSeconds: settings.result_overdue_after ?? DEFAULT_RESULT_OVERDUE_SECONDS,
    onUnreadable: settings.on_unreadable ?? 'accept',
    onChangedBody: settings.on_changed_body ?? 'keep',
    fieldPaths: settings.field_paths,
    reconcile: settings.reconcile,
    reconcileFrom: settings.reconcile_from,
    pullOnly: settings.pull_only ?? false,
    resultMap: settings.result_map ?? {},
    acknowledgementCode: settings.acknowledge_with_pending === true ? settings.pending_result : undefined,
    onGiveUp: readGiveUp(settings.on_give_up),
  })
}

function readGiveUp(setting: ConnectionSettings['on_give_up']): GiveUpResult | undefined {
  if (setting === undefined || setting === 'nothing') return undefined
  if (typeof setting === 'string') return { code: setting, externalStatus: undefined }
  return { code: setting.code, externalStatus: setting.external_status }
}
