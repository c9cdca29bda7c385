// Where each field of an activity may stand in a body: the accepted spellings in order, the first that is not null is read.
import type { ConnectionSettings } from '../schema-types.ts'

export type FieldPaths = NonNullable<ConnectionSettings['field_paths']>
export type ActivityField = keyof FieldPaths

type JsonObject = Readonly<Record<string, unknown>>
type Path = readonly string[]

/** The first spelling of each field is also the one faults are reported under, and the one field_paths are put at. */
export const ACTIVITY_FIELDS: Readonly<Record<ActivityField, readonly Path[]>> = Object.freeze({
  // "id" comes last: a body that names activityId as well may mean something else by id.
  activity_id: spellings('activityId', 'id'),
  type: spellings('type'),
  channel: spellings('channel'),
  commerce_external_id: spellings(
    'commerceExternalId',
    'commerce.externalId',
    'commerceAssignment.commerce.externalId',
  ),
  commerce_name: spellings('commerceName', 'commerce.name', 'commerceAssignment.commerce.name'),
  operator_external_id: spellings(
    'operatorExternalId',
    'operator.externalId',
    'taskDetails.assignedOperator.externalId',
  ),
  operator_name: spellings('operatorName', 'operator.name', 'taskDetails.assignedOperator.name'),
  route_external_id: spellings('routeExternalId', 'route.externalId', 'taskDetails.assignedRoute.externalId'),
  scheduled_at: spellings('scheduledAt'),
  suggested_execution_time: spellings('suggestedExecutionTime'),
  reason: spellings('reason'),
  user_status: spellings('userStatus'),
  score: spellings('score'),
  assignment_reason: spellings('assignmentReason'),
  attributes: spellings('attributes'),
})

/** The JSON Pointer of each place: every reading names some, and none builds one anew. */
const POINTERS: ReadonlyMap<Path, string> = new Map(
  Object.values(ACTIVITY_FIELDS).flatMap((paths) => paths.map((path) => [path, toPointer(path)] as const)),
)

/** Every way to write dotted camelCase paths with each of their names in camelCase or snake_case. */
function spellings(...places: readonly string[]): readonly Path[] {
  return places.flatMap((place) => {
    let paths: readonly Path[] = [[]]
    for (const name of place.split('.')) {
      const snake = name.replaceAll(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
      const names = snake === name ? [name] : [name, snake]
      paths = paths.flatMap((path) => names.map((spelled) => [...path, spelled]))
    }
    return paths
  })
}

export interface Picked {
  /** Undefined where no spelling holds anything but null. */
  readonly value: unknown
  /** JSON Pointer of where it was found, or of where it was missed. */
  readonly path: string
}

/** The first spelling of a field that holds something. */
export function pick(source: JsonObject, field: ActivityField): Picked {
  const places = ACTIVITY_FIELDS[field]
  for (const path of places) {
    const value = path.length === 1 ? ownValue(source, path[0] ?? '') : walk(source, path)
    if (value !== undefined && value !== null) return { value, path: pointerOf(path) }
  }
  return { value: undefined, path: pointerOf(places[0] ?? []) }
}

function pointerOf(path: Path): string {
  return POINTERS.get(path) ?? toPointer(path)
}

/**
 * The body as if the fields named by `fieldPaths` stood at their usual place: their value is what the pointer finds, and all
 * built-in spellings of them are gone. A plain value a pointer starts at is gone too, since it may stand under a name that
 * usually holds something of another shape.
 */
export function overlayFieldPaths(body: JsonObject, fieldPaths: FieldPaths): JsonObject {
  let overlay: JsonObject = body
  const entries = Object.entries(fieldPaths) as [ActivityField, string][] // keys are checked by the settings' schema
  for (const [field, pointer] of entries) {
    for (const path of ACTIVITY_FIELDS[field]) overlay = without(overlay, path)
    overlay = without(overlay, [fromPointer(pointer)[0] ?? '', PLAIN])
  }
  const placed: Record<string, unknown> = {}
  for (const [field, pointer] of entries) {
    const usual = ACTIVITY_FIELDS[field][0]?.[0]
    const value = walk(body, fromPointer(pointer))
    if (usual !== undefined && value !== undefined) placed[usual] = value
  }
  return { ...overlay, ...placed }
}

/** Names nothing inside an object: removing it removes the holder only where the holder is no object. */
const PLAIN = ''

/** A copy without what stands at `path`; where the way there is no object, without that. */
function without(source: JsonObject, path: Path): JsonObject {
  const [key, ...rest] = path
  const held = key === undefined ? undefined : ownValue(source, key)
  if (key === undefined || held === undefined) return source
  const copy: Record<string, unknown> = { ...source }
  if (rest.length === 0 || typeof held !== 'object' || held === null || Array.isArray(held)) delete copy[key]
  else copy[key] = without({ ...held }, rest)
  return copy
}

function walk(source: unknown, path: Path): unknown {
  let value = source
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = ownValue(value, key)
  }
  return value
}

function ownValue(holder: object, key: string): unknown {
  return Object.hasOwn(holder, key) ? (holder as Record<string, unknown>)[key] : undefined // own, so it is the body's
}

function toPointer(path: Path): string {
  return path.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

function fromPointer(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
}
