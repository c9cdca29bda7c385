// From a parsed body in any of the shapes Reten may push to an Activity. Reten has not published the body; every spelling
// here is an assumption, and a connection's field_paths replace them without a release.
import type { Fault } from '../errors.ts'
import type { Activity, CodeAndLabel } from './activity.ts'
import { DEFAULT_ACTIVITY_TYPE } from './activity.ts'
import { ACTIVITY_FIELDS, overlayFieldPaths, pick } from './activity-fields.ts'
import type { ActivityField, FieldPaths } from './activity-fields.ts'
import { compileSchema } from '../schemas.ts'
import type { PushedActivity } from '../schema-types.ts'

/**
 * - `read`: an activity.
 * - `incomplete`: we can tell which activity it is, but not all of it can be read.
 * - `unidentified`: we cannot even tell which activity it is.
 */
export type ActivityReading =
  | { readonly kind: 'read'; readonly activity: Activity }
  | { readonly kind: 'incomplete'; readonly activityId: string; readonly faults: readonly Fault[] }
  | { readonly kind: 'unidentified'; readonly faults: readonly Fault[] }

export type JsonObject = Readonly<Record<string, unknown>>

const MAX_ID_LENGTH = 200

/** Columns that hold text of the body: what PostgreSQL's text cannot hold, and what two ids could collide by, is a fault. */
const STORED_FIELDS: readonly ActivityField[] = ['type', 'channel', 'commerce_external_id', 'operator_external_id']

let check: ReturnType<typeof compileSchema<PushedActivity>> | undefined

/** Reads an activity. `fieldPaths` are the connection's; a field they name is read from there alone. */
export function readActivity(body: JsonObject, fieldPaths: FieldPaths | undefined): ActivityReading {
  const source = fieldPaths === undefined ? body : overlayFieldPaths(body, fieldPaths)
  const id = pick(source, 'activity_id')
  const idFault = faultOfId(id.value)
  if (idFault !== undefined || typeof id.value !== 'string') {
    return { kind: 'unidentified', faults: [{ path: id.path, message: idFault ?? 'must be a string' }] }
  }
  check ??= compileSchema<PushedActivity>('activity')
  const checked = check(source)
  if (!checked.ok) return { kind: 'incomplete', activityId: id.value, faults: checked.faults }
  const commerce = pick(source, 'commerce_external_id')
  if (typeof commerce.value !== 'string') {
    return { kind: 'incomplete', activityId: id.value, faults: [{ path: commerce.path, message: 'is required' }] }
  }
  const faults = STORED_FIELDS.flatMap((field) => faultOfText(source, field))
  if (faults.length > 0) return { kind: 'incomplete', activityId: id.value, faults }
  return { kind: 'read', activity: toActivity(source, id.value, commerce.value) }
}

function toActivity(source: JsonObject, activityId: string, commerceExternalId: string): Activity {
  const text = (field: ActivityField): string | undefined => textOf(pick(source, field).value)
  const score = pick(source, 'score').value
  return {
    activityId,
    type: text('type') ?? DEFAULT_ACTIVITY_TYPE,
    channel: text('channel'),
    commerceExternalId,
    commerceName: text('commerce_name'),
    operatorExternalId: text('operator_external_id'),
    operatorName: text('operator_name'),
    routeExternalId: text('route_external_id'),
    scheduledAt: text('scheduled_at'),
    suggestedExecutionTime: text('suggested_execution_time'),
    reason: wordOf(pick(source, 'reason').value),
    userStatus: wordOf(pick(source, 'user_status').value),
    score: typeof score === 'number' ? score : undefined,
    assignmentReason: text('assignment_reason'),
    attributes: attributesOf(pick(source, 'attributes').value),
  }
}

function faultOfId(id: unknown): string | undefined {
  if (id === undefined) return 'is required'
  if (typeof id !== 'string') return 'must be a string'
  if (id === '') return 'must not be empty'
  if (id.length > MAX_ID_LENGTH) return `must not be longer than ${MAX_ID_LENGTH} characters`
  return faultOfCharacters(id)
}

function faultOfText(source: JsonObject, field: ActivityField): Fault[] {
  const { value, path } = pick(source, field)
  const message = typeof value === 'string' ? faultOfCharacters(value) : undefined
  return message === undefined ? [] : [{ path, message }]
}

/** What keeps a text from being stored as it is, or from being told apart from another one; undefined where nothing does. */
export function faultOfCharacters(text: string): string | undefined {
  if (text.includes('\u0000')) return 'must not hold U+0000'
  return text.isWellFormed() ? undefined : 'must not hold a lone surrogate'
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function wordOf(value: unknown): CodeAndLabel | undefined {
  if (typeof value === 'string') return { code: value }
  if (!isJsonObject(value)) return undefined
  return { code: textOf(value['code']), label: textOf(value['label']) }
}

function attributesOf(value: unknown): Record<string, unknown> {
  if (Array.isArray(value)) {
    return Object.fromEntries(value.filter(isJsonObject).map((entry) => [String(entry['key']), entry['value']]))
  }
  return isJsonObject(value) ? { ...value } : {}
}

/** Whether a parsed value is a JSON object, neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Every field that field_paths may name. */
export const ACTIVITY_FIELD_NAMES: readonly ActivityField[] = Object.freeze(
  Object.keys(ACTIVITY_FIELDS) as ActivityField[], // the keys of a constant of ours
)
