// A result that comes with a provider's answer to a delivery, in the shape of the default webhook body.
import { compileSchema } from '../../schemas.ts'
import type { ProviderEventBody } from '../../schema-types.ts'
import type { ResultContent } from '../../dispatch/result.ts'
import { readRecord, toStorableText } from '../../http-answer.ts'
import { toUtc } from '../../time.ts'

/** Reads the `result` of an answer to the delivery of `dispatchId`; undefined where there is none that can be read. */
export type ReadReplyResult = (result: unknown, dispatchId: string) => ResultContent | undefined

/**
 * Makes the reader; it compiles the schema once. What cannot be read is no reason to doubt the delivery: it is accepted
 * without a result, the answer stands in the attempt's excerpt, and the provider's webhook can still bring the result.
 */
export function createReplyResultReader(): ReadReplyResult {
  const validate = compileSchema<ProviderEventBody>('provider-event')
  return (result, dispatchId) => {
    const record = readRecord(result)
    if (record === undefined) return undefined
    // The answer belongs to this delivery, so it need not name it; the schema of the webhook's body asks for an id.
    const validated = validate({ ...record, dispatchId })
    return validated.ok ? toContent(validated.value) : undefined
  }
}

function toContent(body: ProviderEventBody): ResultContent | undefined {
  const occurredAt = toInstant(body.occurredAt)
  if (occurredAt === undefined) return undefined
  return {
    eventId: toText(body.eventId),
    status: body.status,
    code: toStorableText(body.result),
    occurredAt,
    externalStatus: toText(body.externalStatus),
    comment: toText(body.comment),
    contactType: body.contactType ?? undefined,
    operatorExternalId: toText(body.operatorExternalId),
    futureScheduledAt: toInstant(body.futureScheduledAt),
  }
}

function toText(value: string | null | undefined): string | undefined {
  return value === null || value === undefined ? undefined : toStorableText(value)
}

function toInstant(value: string | null | undefined): string | undefined {
  // The schema has checked the form; a leap second fits it and still names no instant.
  return value === null || value === undefined ? undefined : toUtc(value)
}
