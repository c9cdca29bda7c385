// The default body of a provider's webhook, from bytes to a ProviderEvent.
import type { ProviderEvent } from '../dispatch/provider-event.ts'
import { AppError } from '../errors.ts'
import { compileSchema, describeFault } from '../schemas.ts'
import type { ProviderEventBody } from '../schema-types.ts'
import { toUtc } from '../time.ts'

let check: ReturnType<typeof compileSchema<ProviderEventBody>> | undefined

/** Reads the default body. Throws RCV_BODY_INVALID with one entry for the first fault. */
export function readProviderEvent(body: unknown): ProviderEvent {
  check ??= compileSchema<ProviderEventBody>('provider-event')
  const checked = check(body)
  if (!checked.ok) {
    const [fault] = checked.faults
    const message = fault === undefined ? 'body is not an event' : describeFault('body', fault)
    throw new AppError('RCV_BODY_INVALID', message, { details: checked.faults })
  }
  const { value } = checked
  return {
    dispatchId: value.dispatchId ?? undefined,
    activityId: value.activityId ?? undefined,
    providerTaskId: value.providerTaskId ?? undefined,
    content: {
      eventId: value.eventId ?? undefined,
      status: value.status,
      code: value.result,
      occurredAt: instantOf(value.occurredAt, '/occurredAt'),
      externalStatus: value.externalStatus ?? undefined,
      comment: value.comment ?? undefined,
      contactType: value.contactType ?? undefined,
      operatorExternalId: value.operatorExternalId ?? undefined,
      futureScheduledAt:
        typeof value.futureScheduledAt === 'string'
          ? instantOf(value.futureScheduledAt, '/futureScheduledAt')
          : undefined,
    },
  }
}

function instantOf(text: string, path: string): string {
  const utc = toUtc(text)
  if (utc !== undefined) return utc
  const fault = { path, message: 'names no instant' }
  throw new AppError('RCV_BODY_INVALID', describeFault('body', fault), { details: [fault] })
}
