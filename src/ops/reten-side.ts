// What Reten says of a dispatch's activity, beside what we know of it. Asked for on demand, each part for itself: one that cannot
// be read says why and fails no other.
import type { RetenActivitiesClient } from '../reten/activities-client.ts'
import type { RetenAnswer } from '../reten/reten-answer.ts'
import type { RetenActivity, RetenAttributes, RetenStatusEvents } from '../schema-types.ts'
import { SECOND_MS } from '../time.ts'

/** The client of one connection, by name; undefined where it has no key for Reten. */
export type RetenActivitiesOf = (connection: string) => RetenActivitiesClient | undefined

/** One of the two is null. */
export interface RetenPart<T> {
  readonly value: T | null
  readonly fault: { readonly code: string; readonly message: string } | null
}

export interface RetenSide {
  /** As Reten words it, e.g. DISPATCHED; null where its answer names none. */
  readonly status: RetenPart<string | null>
  readonly statusEvents: RetenPart<RetenStatusEvents>
  /** The whole activity and its attributes: only for those who may see bodies, since that is what they are. */
  readonly activity?: RetenPart<RetenActivity>
  readonly attributes?: RetenPart<RetenAttributes>
}

export interface RetenQuestion {
  readonly connection: string
  readonly activityId: string
  readonly mayShowBodies: boolean
}

/** A person waits for the answer: below the client's own ten seconds. */
const PATIENCE_MS = 5 * SECOND_MS

/** Asks for all parts at once; resolves within five seconds, whatever Reten does. */
export async function readRetenSide(clientOf: RetenActivitiesOf, question: RetenQuestion): Promise<RetenSide> {
  const { connection, activityId, mayShowBodies } = question
  const client = clientOf(connection)
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const ask = async <T>(call: (client: RetenActivitiesClient) => Promise<RetenAnswer<T>>): Promise<RetenPart<T>> =>
    client === undefined
      ? notRead('no_reten_key', `${connection} has no key for Reten, or no address of it`)
      : toPart(await call(client))

  const [activity, statusEvents, attributes] = await Promise.all([
    ask((reten) => reten.readActivity(activityId, signal)),
    ask((reten) => reten.listStatusEvents(activityId, signal)),
    mayShowBodies ? ask((reten) => reten.listAttributes(activityId, signal)) : undefined,
  ])
  return {
    status: { value: activity.value?.status ?? null, fault: activity.fault },
    statusEvents,
    ...(attributes === undefined ? {} : { activity, attributes }),
  }
}

function toPart<T>(answer: RetenAnswer<T>): RetenPart<T> {
  switch (answer.kind) {
    case 'ok':
      return { value: answer.value, fault: null }
    case 'refused':
      return notRead(`http_${answer.status}`, answer.message)
    case 'unavailable':
      return answer.code === 'aborted'
        ? notRead('timeout', `Reten has not answered within ${PATIENCE_MS} ms`)
        : notRead(answer.code, answer.message)
    default:
      return answer satisfies never
  }
}

function notRead<T>(code: string, message: string): RetenPart<T> {
  return { value: null, fault: { code, message } }
}
