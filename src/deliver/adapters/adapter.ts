// The contract between the delivery and a provider. An adapter maps an activity to a request, makes one call, and maps
// the answer to an Outcome. It keeps no state beyond its credentials, retries nothing, and knows no database.
import type { Activity } from '../../dispatch/activity.ts'
import type { ProbeAnswer } from '../../dispatch/key-probe.ts'
import type { CancelOutcome, Outcome } from '../../dispatch/outcome.ts'
import type { ProviderEvent } from '../../dispatch/provider-event.ts'
import type { HttpClient } from '../../http-client.ts'
import type { Clock } from '../../time.ts'

/** What the provider can do; the delivery decides by this, never by the provider's name. */
export interface AdapterCapabilities {
  /** `key`: a repeat with the same idempotency key is harmless. `lookup`: a task can be found by our id. */
  readonly idempotency: 'key' | 'lookup' | 'none'
  /** How results come: in `deliver`'s answer, by the provider's webhook, or never. */
  readonly completion: 'reply' | 'webhook' | 'none'
}

/** One delivery to make. */
export interface DeliverCommand {
  readonly connection: string
  readonly dispatchId: string
  /** The same on every attempt; changes only when an operator or a changed body asks for a second delivery. */
  readonly idempotencyKey: string
  readonly activity: Activity
  /** Parsed body as Reten sent it, for adapters that pass it on. */
  readonly body: unknown
}

/** One task to cancel. The activity is not at hand: its body may be gone by then. */
export interface CancelCommand {
  readonly connection: string
  readonly dispatchId: string
  readonly activityId: string
  /** The one it was delivered with. */
  readonly idempotencyKey: string
  /** The provider's own id of the task; undefined where it never told one, or where no answer came. */
  readonly providerTaskId: string | undefined
}

/** The code of a lookup's `retry`: it is surely not there, so it may be delivered again. */
export const NOT_FOUND = 'not_found'

/**
 * What `lookup` found: `accepted`, `retry` with the code NOT_FOUND, `throttled` or `unauthorized` where it was not let in, or
 * `ambiguous` where it could not tell for any other reason.
 */
export type LookupOutcome = Exclude<Outcome, { readonly kind: 'rejected' }>

/** A result type of the tenant, as far as an adapter needs it. */
export interface ResultTypeView {
  readonly code: string
  readonly requiresFutureScheduledAt: boolean
}

/** An attribute of an activity as Reten has it now. */
export interface AttributeView {
  /** Reten's id of the key: the same for all tenants, and all that Reten says of it. */
  readonly attributeKeyId: string
  /** Any JSON; null while it is not resolved. */
  readonly value: unknown
  /** PENDING, RESOLVED, FAILED or FALLBACK, or a word Reten adds one day. */
  readonly resolutionStatus: string | undefined
}

export interface Adapter {
  readonly provider: string
  readonly capabilities: AdapterCapabilities
  /** One try. Resolves with an outcome for everything a provider can do; throws only for faults of ours. */
  deliver(command: DeliverCommand, signal: AbortSignal): Promise<Outcome>
  /** What `deliver` would send now, as `Exchange.request` shows it; for dry runs. Calls nobody. */
  preview?(command: DeliverCommand): string
  /** Finds a task by our id; present where `idempotency` is `lookup`. */
  lookup?(command: DeliverCommand, signal: AbortSignal): Promise<LookupOutcome>
  /**
   * Has the provider cancel a task; absent where it cannot. Asked again whenever an answer was lost, so a task that is cancelled
   * already is `canceled`, and one that is done is `too_late`. Throws only for faults of ours.
   */
  cancel?(command: CancelCommand, signal: AbortSignal): Promise<CancelOutcome>
  /**
   * Authenticates and makes a harmless call that needs it: tells whether a key that was refused is good by now. Where it is
   * absent, one delivery is let through every so often instead.
   */
  probe?(signal: AbortSignal): Promise<ProbeAnswer>
  /** What an answer to the probe is believed to mean although the provider has not documented it; shown beside it. */
  readonly probeAssumption?: string | undefined
  /**
   * Reads the provider's own webhook body; absent where it sends the default body.
   * Throws RCV_BODY_INVALID with one fault per field.
   */
  readEvent?(body: unknown): ProviderEvent
  /** Releases sockets and timers. */
  close(): Promise<void>
}

/** What an adapter is built from. Settings come as they were entered; the adapter checks them (RCV_ADAPTER_SETTINGS). */
export interface AdapterInput {
  readonly connection: string
  readonly settings: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, string>>
  readonly http: HttpClient
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** The tenant's result types at Reten. Rejects where they cannot be read. */
  readonly resultTypes: (signal: AbortSignal) => Promise<readonly ResultTypeView[]>
  /**
   * An activity's attributes at Reten, where those in its body are not enough: one request each time. Rejects where they cannot be
   * read; before anything was sent to the provider, `retry` is the answer to that.
   */
  readonly attributes: (activityId: string, signal: AbortSignal) => Promise<readonly AttributeView[]>
}

export type CreateAdapter = (input: AdapterInput) => Adapter
