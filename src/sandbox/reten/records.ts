// What Reten's stand-in remembers. Names follow Reten's documentation; times are ISO 8601 strings in sandbox time.

/** The channels Reten documents. */
export const channels = ['SALESMAN', 'CALLCENTER', 'WHATSAPP', 'EMAIL', 'SMS', 'PUSH'] as const

/** One of the channels. */
export type Channel = (typeof channels)[number]

/** The core words for an activity's state; the integration list has words of its own. */
export const activityStatuses = ['READY', 'UNRESOLVED', 'DISPATCHED', 'COMPLETED', 'CANCELED', 'FAILED'] as const

/** One of the core words. */
export type ActivityStatus = (typeof activityStatuses)[number]

/** A code with the text people read. */
export interface CodeLabel {
  readonly code: string
  readonly label: string
}

/** A shop. */
export interface Commerce {
  readonly id: string
  externalId: string
  name: string
  taxId: string | null
  isActive: boolean
  readonly isPlaceholder: boolean
  metadata: unknown
  addresses: readonly unknown[]
  users: readonly CommerceUser[]
  readonly createdAt: string
  updatedAt: string
}

/** A person at a shop. */
export interface CommerceUser {
  readonly id: string
  readonly firstName: string
  readonly lastName: string
  readonly isActive: boolean
  readonly roles: readonly { readonly role: string }[]
  readonly contacts: readonly {
    readonly id: string
    readonly type: string
    readonly value: string
    readonly isPrimary: boolean
    readonly isActive: boolean
  }[]
}

/** Somebody who visits or calls; unique by type and external id together. */
export interface Operator {
  readonly id: string
  readonly type: 'SALESMAN' | 'ACTIVATOR' | 'CALLCENTER'
  name: string
  email: string | null
  phone: string | null
  readonly externalId: string
  isActive: boolean
  readonly isPlaceholder: boolean
  metadata: unknown
}

/** A round of shops. */
export interface Route {
  readonly id: string
  readonly externalId: string
  readonly name: string
  readonly operators: Map<string, 'LEAD' | 'MEMBER'>
}

/** A result code of a tenant. */
export interface ResultType {
  readonly code: string
  readonly label: string
  readonly requiresFutureScheduledAt: boolean
}

/** A key as Reten keeps it: its hash, never the key. */
export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly keyPrefix: string
  readonly hash: string
  readonly userId: string
  readonly tenantId: string
  readonly permissions: readonly string[]
  readonly expiresAt: string | null
  lastUsedAt: string | null
  readonly createdAt: string
  revokedAt: string | null
}

/** Where a tenant's activities of one channel are dispatched to. */
export interface DispatchConfig {
  readonly id: string
  readonly dispatchProviderId: string
  readonly channel: Channel
  baseUrl: string
  credentials: Readonly<Record<string, string>>
  settings: Readonly<Record<string, unknown>>
  isActive: boolean
}

/** One line of an activity's history, as the status-events page shows it. */
export interface StatusEvent {
  readonly id: string
  readonly eventType: string
  readonly fromStatus: ActivityStatus | null
  readonly toStatus: ActivityStatus
  readonly errorCode: string | null
  readonly errorMessage: string | null
  readonly occurredAt: string
}

/** A value that travels with an activity. */
export interface ActivityAttribute {
  readonly id: string
  readonly attributeKeyId: string
  readonly key: string
  readonly strategy: 'UPFRONT' | 'ON_DISPATCH' | 'CALLER_PROVIDED'
  /** Taken when the value cannot be resolved; `undefined`: there is none. */
  readonly fallback: unknown
  value: unknown
  resolutionStatus: 'PENDING' | 'RESOLVED' | 'FAILED' | 'FALLBACK'
  resolverType: string | null
  resolvedAt: string | null
  errorMessage: string | null
  readonly createdAt: string
  updatedAt: string
}

/** How a person is looked for; lower priority numbers are tried first. */
export interface TargetCriterion {
  readonly type: string
  readonly config?: Readonly<Record<string, unknown>>
  readonly priority?: number
}

/** A person an activity is meant for. */
export interface TargetUser {
  readonly id: string
  resolutionStatus: 'PENDING' | 'RESOLVED' | 'LOCKED' | 'FAILED'
  readonly resolutionStrategy: 'ON_CREATION' | 'ON_DISPATCH' | 'MANUAL'
  readonly criteria: readonly TargetCriterion[]
  lockReason: string | null
  commerceUser: CommerceUser | null
}

/** The bodies a dispatch may have; none is documented, so the receiver must read them all. */
export const payloadShapes = ['nested-camel', 'flat-camel', 'flat-snake', 'unexpected'] as const

/** One of the bodies. */
export type PayloadShape = (typeof payloadShapes)[number]

/** One sending of one activity, as this stand-in saw it end. */
export interface Push {
  readonly attempt: number
  readonly at: string
  /** `acknowledged`: a 2xx that was read; `unread`: an answer that was thrown away; the rest are failures. */
  readonly outcome: 'acknowledged' | 'refused' | 'unread' | 'hung_up' | 'never_sent' | 'timeout' | 'network_error'
  readonly statusCode: number | null
  readonly providerActivityId: string | null
  readonly durationMs: number
  readonly error: string | null
}

/** A result as it is stored; a new one replaces it only by override. */
export interface ActivityResult {
  readonly id: string
  /** In the words of the core family: PENDING, COMPLETED, NOT_EXECUTED, CANCELED, TRANSFERRED. */
  readonly coreStatus: CoreResultStatus
  /** As it was sent, in the words of the family it came by. */
  readonly resultStatus: string
  readonly source: 'RETEN_ACTIVITY' | 'STANDALONE'
  readonly occurredAt: string
  readonly externalStatus: string | null
  readonly rawPayload: unknown
  readonly taskDetails: ResultDetails
  readonly createdAt: string
  readonly updatedAt: string
}

/** The core family's words for a result. */
export const coreResultStatuses = ['PENDING', 'COMPLETED', 'NOT_EXECUTED', 'CANCELED', 'TRANSFERRED'] as const

/** One of the core family's words. */
export type CoreResultStatus = (typeof coreResultStatuses)[number]

/** What a result says about the task. */
export interface ResultDetails {
  readonly result: string | null
  readonly comment: string | null
  readonly contactType: string | null
  readonly operatorExternalId: string | null
  readonly futureScheduledAt: string | null
  readonly payload: unknown
}

/** An activity with all that happened to it. */
export interface Activity {
  readonly id: string
  readonly tenantId: string
  readonly type: 'TASK' | 'MESSAGE'
  readonly channel: Channel
  status: ActivityStatus
  readonly reason: CodeLabel
  readonly userStatus: CodeLabel | null
  readonly score: number | null
  readonly assignmentReason: string | null
  readonly idempotencyKey: string
  readonly scheduledAt: string
  readonly suggestedExecutionTime: string | null
  readonly commerce: Commerce
  readonly operator: Operator | undefined
  readonly route: Route | undefined
  readonly attributes: readonly ActivityAttribute[]
  readonly targetUsers: readonly TargetUser[]
  readonly payloadShape: PayloadShape | undefined
  readonly createdAt: string
  updatedAt: string
  dispatchAttemptCount: number
  isBeingDispatched: boolean
  providerActivityId: string | undefined
  readonly events: StatusEvent[]
  readonly pushes: Push[]
  result: ActivityResult | undefined
  readonly registrations: Registrations
}

/** How often something was registered for one activity, and how often that was refused. */
export interface Registrations {
  /** Accepted results that end the activity. */
  final: number
  /** Accepted results that leave it open. */
  pending: number
  /** Accepted final results that say what an earlier one had said already. */
  doubled: number
  /** Answers 409. */
  conflicts: number
}
