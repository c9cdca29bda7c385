// The default body of a provider's webhook, from bytes to a ProviderEvent.
import type { ProviderEvent } from '../dispatch/provider-event.ts'
import { faultOfCharacters } from '../dispatch/read-activity.ts'
import { AppError } from '../errors.ts'
import type { Fault } from '../errors.ts'
import { compileSchema, describeFault } from '../schemas.ts'
import type { ProviderEventBody } from '../schema-types.ts'
import { toUtc } from '../time.ts'

/** Texts that name something; what people wrote is stored with what cannot be stored replaced. */
const IDENTIFYING = ['dispatchId', 'activityId', 'providerTaskId', 'eventId', 'result', 'operatorExternalId'] as const

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
  for (const name of IDENTIFYING) {
    const fault = faultOfCharacters(value[name] ?? '')
    if (fault !== undefined) throw refusal({ path: `/${name}`, message: fault })
  }
  const [dispatchId, activityId, providerTaskId] = [value.dispatchId, value.activityId, value.providerTaskId].map(told)
  if (dispatchId === undefined && activityId === undefined && providerTaskId === undefined) {
    throw refusal({ path: '/dispatchId', message: 'is required, or activityId or providerTaskId' })
  }
  return {
    dispatchId,
    activityId,
    providerTaskId,
    content: {
      eventId: value.eventId ?? undefined,
      status: value.status,
      code: value.result,
      occurredAt: instantOf(value.occurredAt, '/occurredAt'),
      externalStatus: value.externalStatus ?? undefined,
      comment: value.comment ?? undefined,
      contactType: value.contactType ?? undefined,
      operatorExternalId: told(value.operatorExternalId),
      futureScheduledAt:
        typeof value.futureScheduledAt === 'string'
          ? instantOf(value.futureScheduledAt, '/futureScheduledAt')
          : undefined,
    },
  }
}

/** Some serializers write an empty text for what is not there. */
function told(id: string | null | undefined): string | undefined {
  return id === null || id === '' ? undefined : id
}

function instantOf(text: string, path: string): string {
  const utc = toUtc(text)
  if (utc === undefined) throw refusal({ path, message: 'names no instant from year 1 to 9999' })
  return utc
}

function refusal(fault: Fault): AppError {
  return new AppError('RCV_BODY_INVALID', describeFault('body', fault), { details: [fault] })
}
