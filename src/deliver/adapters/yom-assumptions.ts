// EVERYTHING this service assumes about YOM's side of a delivery, in one file. YOM publishes its base URLs, its token grant
// and its naming of ids, and nothing at all about tasks: no path, payload, answer, error, status or idempotency. What stands
// here is our reading until YOM says otherwise; each assumption is numbered, and what can be a setting is one.
//
// Documented by YOM, and no assumption: the grant's path, body and `accessToken`; ids that YOM assigns begin with
// `internal`; commerceId, sellerId and sellerRouteId are the customer's own external ids.
// Source: https://docs.yom.ai/Requisitos-t-cnicos-e446ecbbb07f45d984d5e961d84c6814
import type { Activity } from '../../dispatch/activity.ts'
import { readJson, readRecord, readText } from '../../http-answer.ts'
import type { HttpAnswer } from '../../http-client.ts'
import type { DeliverCommand } from './adapter.ts'
import { readTaskId } from './task-id.ts'

/** Assumption 1: tasks are created by POST at this path below the base URL. Setting `task_path`. */
export const YOM_TASK_PATH = '/activities'

/** Documented, but for the method, whose cell is lost in the page: a POST, since it has a body. */
export const YOM_GRANT_PATH = '/auth/tokens/grant'

/** Assumption 2: a token goes out as a bearer token, a static key as `x-api-key`, which is what Reten's own dispatch uses. */
export const YOM_API_KEY_HEADER = 'x-api-key'
export const yomBearerHeaders = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

/**
 * Assumption 3: a repeat with the same key is harmless. Setting `idempotency`: `key` believes it, `lookup` searches by
 * external id before repeating, `none` has a person look. The header's name is the one of the IETF draft.
 * Source: https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header
 */
export const YOM_IDEMPOTENCY_HEADER = 'idempotency-key'
export const YOM_IDEMPOTENCIES = ['key', 'lookup', 'none'] as const
export type YomIdempotency = (typeof YOM_IDEMPOTENCIES)[number]

/** Assumption 4: a task may carry our own id, and a list of tasks can be filtered by it. */
export const YOM_EXTERNAL_ID_QUERY = 'externalId'

/** Assumption 5: a token without an `exp` lives at least this long. */
export const YOM_TOKEN_LIFE_WITHOUT_EXP_MS = 5 * 60_000

/** Assumption 6: how results come, unless the setting `completion` says that they never do: by the default webhook. */
export const YOM_COMPLETIONS = ['webhook', 'none'] as const

/**
 * Assumption 7: the fields of a task. `externalId` is the idempotency key, not the bare dispatch id: equal to it but for a
 * deliberate second delivery, which a lookup must not take for the first. Absent fields are left out.
 */
export function toYomTask({ dispatchId, idempotencyKey, activity }: DeliverCommand): Record<string, unknown> {
  return {
    externalId: idempotencyKey,
    dispatchId,
    activityId: activity.activityId,
    type: activity.type,
    channel: activity.channel,
    commerceId: activity.commerceExternalId,
    commerceName: activity.commerceName,
    sellerId: activity.operatorExternalId,
    sellerName: activity.operatorName,
    sellerRouteId: activity.routeExternalId,
    scheduledAt: activity.scheduledAt,
    suggestedExecutionTime: activity.suggestedExecutionTime,
    reason: activity.reason,
    userStatus: activity.userStatus,
    score: activity.score,
    assignmentReason: activity.assignmentReason,
    attributes: nonEmpty(activity.attributes),
  }
}

/** Assumption 8: where the id of a created (or existing) task stands; `internal…` first, as YOM's convention has it. */
export const YOM_TASK_ID_FIELDS = ['internalTaskId', 'internalActivityId', 'id', 'taskId'] as const

/**
 * What a 2xx says. `accepted`: an object, or nothing at all, that does not contradict the status; an id may be missing.
 * `error`: an error's body under a good status, without an id. `unreadable`: not YOM's JSON, such as a page of a gateway.
 *
 * Assumption 9: the last two are answers of unknown fate, not acceptances. With a key the repeat is harmless, and without
 * one a person looks; taking either for an acceptance could lose the activity without a word.
 */
export type YomCreated =
  | { readonly kind: 'accepted'; readonly taskId: string | undefined; readonly result: unknown }
  | { readonly kind: 'error' }
  | { readonly kind: 'unreadable' }

export function readYomCreated(answer: HttpAnswer): YomCreated {
  if (answer.body.trim() === '') return { kind: 'accepted', taskId: undefined, result: undefined }
  const reading = readJson(answer.body)
  const record = reading.isJson ? readRecord(reading.value) : undefined
  if (record === undefined) return { kind: 'unreadable' }

  const taskId = readYomTaskId(record)
  if (taskId === undefined && isYomError(record)) return { kind: 'error' }
  return { kind: 'accepted', taskId, result: record['result'] }
}

/**
 * Assumption 10: a 409 without Retry-After (see `isTakenBefore`) says that there is a task like this one. It is ours, and so
 * accepted, where the body names our external id, or a task's id and nobody else's external id. A 409 that names neither is
 * believed to mean our key only where YOM is believed to know keys; anywhere else it may be another conflict (the seller is busy),
 * so its fate is unknown: searched for, or looked at by a person. One that names another external id is never ours.
 */
export const YOM_BARE_409_IS_OURS: Readonly<Record<YomIdempotency, boolean>> = Object.freeze({
  key: true,
  lookup: false,
  none: false,
})

export type YomDuplicate =
  { readonly kind: 'ours'; readonly taskId: string | undefined } | { readonly kind: 'unproven' }

export function readYomDuplicate(answer: HttpAnswer, externalId: string, idempotency: YomIdempotency): YomDuplicate {
  const reading = readJson(answer.body)
  const record = (reading.isJson ? readRecord(reading.value) : undefined) ?? {}
  const taskId = readYomTaskId(record)
  const named = readText(record['externalId']) ?? readText(readRecord(record['data'])?.['externalId'])
  const isOurs = named === undefined ? taskId !== undefined || YOM_BARE_409_IS_OURS[idempotency] : named === externalId
  return isOurs ? { kind: 'ours', taskId } : { kind: 'unproven' }
}

/** The id of the task in an answer, at its top or under `data`. */
export function readYomTaskId(body: unknown): string | undefined {
  const record = readRecord(body)
  if (record === undefined) return undefined
  const data = readRecord(record['data'])
  return readTaskId(record, YOM_TASK_ID_FIELDS) ?? (data && readTaskId(data, YOM_TASK_ID_FIELDS))
}

/**
 * Assumption 11: an error's body names `errorCode`, or a `name` that ends in "Error" beside a `message` (both seen once, in
 * a 401), or says so in one of the usual ways.
 */
export function isYomError(record: Readonly<Record<string, unknown>>): boolean {
  const { errorCode, name, message, error, errors, success, statusCode, status } = record
  if (readText(errorCode) !== undefined || success === false) return true
  if (typeof name === 'string' && name.endsWith('Error') && readText(message) !== undefined) return true
  if (readText(error) !== undefined || readRecord(error) !== undefined) return true
  if (Object.keys(readRecord(errors) ?? (Array.isArray(errors) ? errors : [])).length > 0) return true
  return isBadStatus(statusCode) || isBadStatus(status)
}

export type YomFound =
  | { readonly kind: 'found'; readonly taskId: string | undefined }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown' }

/**
 * Assumption 12: the filtered list is an array, at the top or under `data`, whose rows repeat our `externalId`; the one of
 * ours is the task. Only an empty list means that it is not there: rows that are not ours mean that the filter was ignored.
 */
export function readYomFound(answer: HttpAnswer, externalId: string): YomFound {
  const reading = readJson(answer.body)
  if (!reading.isJson) return { kind: 'unknown' }
  const rows: unknown = readRecord(reading.value)?.['data'] ?? reading.value
  if (!Array.isArray(rows)) return { kind: 'unknown' }
  if (rows.length === 0) return { kind: 'absent' }
  const ours: unknown = rows.find((row) => readRecord(row)?.['externalId'] === externalId)
  return ours === undefined ? { kind: 'unknown' } : { kind: 'found', taskId: readYomTaskId(ours) }
}

/**
 * Assumption 14: asking for a task that nobody has changes nothing, and only a 401 to it says that our key is not good. A client's
 * token grant, which is documented, comes before it. Whether the key may create tasks, too, the next delivery shows.
 */
export const YOM_PROBE_EXTERNAL_ID = 'reten-dispatch-receiver-probe'
export const YOM_PROBE_ASSUMPTION =
  'YOM documents no tasks: searching for one that nobody has is answered 401 to bad credentials and otherwise to good ones; whether the path is right and tasks may be created, the first delivery shows'

// Assumption 13: any other status means what http-outcome.ts says of it, 403 included: it is the tenant's permission or the
// tenant's task feature that is missing, so the connection is paused rather than each activity failed.

/**
 * Assumption 14: a task that is not done is cancelled by a POST without a body at this path; 409 says that it is done, and a
 * task that is cancelled already is answered like one that is cancelled now. Setting `cancel`: `post` believes it; `none`, the
 * default, asks nothing of YOM and has a person cancel there.
 */
export const YOM_CANCELS = ['none', 'post'] as const
export type YomCancelWay = (typeof YOM_CANCELS)[number]
export const yomCancelPath = (taskPath: string, taskId: string): string =>
  `${taskPath}/${encodeURIComponent(taskId)}/cancel`

/** Whether a 2xx says that the task is cancelled: nothing at all, or an object that is no error. */
export function readYomCanceled(answer: HttpAnswer): boolean {
  if (answer.body.trim() === '') return true
  const reading = readJson(answer.body)
  const record = reading.isJson ? readRecord(reading.value) : undefined
  return record !== undefined && !isYomError(record)
}

function isBadStatus(value: unknown): boolean {
  return (typeof value === 'number' && value >= 400) || value === 'error' || value === 'failed'
}

function nonEmpty(attributes: Activity['attributes']): Activity['attributes'] | undefined {
  return Object.keys(attributes).length === 0 ? undefined : attributes
}
