// What the service itself tells Reten of a delivery, where a connection's settings say so: that the provider has it, or that it was
// given up. Its event id makes it one per revision; what the provider or a person tells later takes its place.
import type { EffectiveSettings } from '../connection.ts'
import type { ResultContent } from '../dispatch/result.ts'

/** A PENDING result for a delivery of `revision`; undefined where the connection tells none. */
export function acknowledgement(
  { acknowledgementCode }: Pick<EffectiveSettings, 'acknowledgementCode'>,
  revision: number,
  at: Date,
): ResultContent | undefined {
  if (acknowledgementCode === undefined) return undefined
  const eventId = `service:delivered:${revision}`
  return { eventId, status: 'PENDING', code: acknowledgementCode, occurredAt: at.toISOString() }
}

/** A NOT_EFFECTIVE result for a delivery that failed with `reasonCode`; undefined where the connection tells none. */
export function giveUpResult(
  { onGiveUp }: Pick<EffectiveSettings, 'onGiveUp'>,
  revision: number,
  reasonCode: string,
  at: Date,
): ResultContent | undefined {
  if (onGiveUp === undefined) return undefined
  return {
    eventId: `service:gave_up:${revision}`,
    status: 'NOT_EFFECTIVE',
    code: onGiveUp.code,
    occurredAt: at.toISOString(),
    externalStatus: onGiveUp.externalStatus ?? reasonCode,
  }
}
