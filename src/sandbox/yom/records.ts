// What YOM's stand-in remembers. YOM publishes nothing about tasks: every name here is our assumption, except the
// convention that YOM's own ids begin with `internal` and the customer's ids have the plain name.

/** A task as it was asked for. */
export interface TaskBody {
  /** Our id of the task; may be left out when the Idempotency-Key header is there. */
  readonly externalId?: string
  /** Whose work this is, passed through to the webhook. */
  readonly activityId?: string
  readonly commerceId: string
  readonly sellerId?: string | null
  readonly [other: string]: unknown
}

/** A task's state. */
export type TaskStatus = 'OPEN' | 'DONE' | 'CANCELLED'

/** How a task ended. */
export interface TaskOutcome {
  readonly status: 'EFFECTIVE' | 'NOT_EFFECTIVE'
  readonly result: string
  readonly occurredAt: string
  readonly comment: string
  readonly futureScheduledAt: string | null
}

/** A task. */
export interface Task {
  readonly internalTaskId: string
  readonly externalId: string
  readonly activityId: string | undefined
  readonly idempotencyKey: string | undefined
  readonly commerceId: string
  readonly sellerId: string | null
  readonly body: TaskBody
  readonly createdAt: string
  status: TaskStatus
  outcome: TaskOutcome | undefined
  updatedAt: string
  readonly events: TaskEvent[]
  /** Answered again for the same idempotency key. */
  repeats: number
}

/** Something YOM has to tell by webhook. */
export interface TaskEvent {
  readonly eventId: string
  readonly body: WebhookBody
  readonly sends: WebhookSend[]
  state: 'waiting' | 'delivered' | 'given_up'
}

/** The default body of a provider's webhook, as the receiving service defines it. */
export interface WebhookBody {
  readonly dispatchId: string
  readonly activityId?: string
  readonly providerTaskId: string
  readonly eventId: string
  readonly status: 'EFFECTIVE' | 'NOT_EFFECTIVE' | 'PENDING'
  readonly result: string
  readonly occurredAt: string
  readonly comment: string
  readonly contactType: 'OUTBOUND'
  readonly operatorExternalId: string | null
  readonly futureScheduledAt: string | null
}

/** One try to call back. */
export interface WebhookSend {
  readonly at: string
  readonly statusCode: number | null
  readonly error: string | null
}
